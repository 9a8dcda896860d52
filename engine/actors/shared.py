"""What all partitions of an engine have in common."""

from typing import TYPE_CHECKING, Any, NamedTuple

from engine.actors.aftermath import Aftermath
from engine.actors.pool import Dispatcher
from engine.actors.sight import Published

if TYPE_CHECKING:
    import pykka


class Shared(NamedTuple):
    """Where actors run, who restarts them, what follows a commit, what trackers see."""

    dispatcher: Dispatcher
    supervisor: "pykka.ActorRef[Any]"
    aftermath: Aftermath
    published: Published
