"""What all partitions of an engine have in common."""

from typing import TYPE_CHECKING, Any, NamedTuple

from engine.actors.aftermath import Aftermath
from engine.actors.pool import Dispatcher
from engine.actors.sight import Published
from engine.actors.system import THREADS, System

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pykka

    from engine.actors.reconciling import Compared


class Shared(NamedTuple):
    """Where actors run, who restarts them, what follows a commit, what trackers see, threads and time.

    ``compared``: each partition's ledger and mirror, where they are to be checked.
    """

    dispatcher: Dispatcher
    supervisor: "pykka.ActorRef[Any]"
    aftermath: Aftermath
    published: Published
    system: System = THREADS
    compared: "Sequence[Compared]" = ()
