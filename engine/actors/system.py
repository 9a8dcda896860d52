"""What the engine's actors run on: how they are started, how they wait, and what time it is to them."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.actors.pool import Dispatcher

if TYPE_CHECKING:
    import pykka


def _start(kind: "type[pykka.ThreadingActor]", *arguments: Any) -> "pykka.ActorRef[Any]":
    return kind.start(*arguments)


def _one_thread(name: str) -> Executor:
    return ThreadPoolExecutor(1, thread_name_prefix=name)


class System(NamedTuple):
    """Threads and the machine's clock; the simulation has one thread for all, and a time of its own.

    ``start`` starts an actor with a thread to itself, ``dispatcher`` has so many workers for those that share
    them, ``executor`` does one thing after the other beside them all.
    """

    start: "Callable[..., pykka.ActorRef[Any]]" = _start
    dispatcher: Callable[[int], Dispatcher] = Dispatcher
    executor: Callable[[str], Executor] = _one_thread
    event: Callable[[], threading.Event] = threading.Event
    monotonic: Callable[[], float] = time.monotonic


THREADS = System()
