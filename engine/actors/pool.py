"""A pooled dispatcher for pykka: many actors, a few threads.

pykka's ThreadingActor takes a thread each, which ends at some ten thousand actors. A ``PooledActor`` has an
inbox only; while that is not empty the actor stands in the dispatcher's queue, and a worker thread handles
some messages of it at a turn, one worker at a time. ``ask``, proxies, ``on_start``, ``on_stop``,
``on_failure`` and ``stop`` work as pykka documents them, with three differences, each the cure of a trap:

- a failing ``on_start`` calls ``on_failure`` too;
- a BaseException fails its own actor, not every actor of the process;
- pooled actors are not in pykka's ActorRegistry, a list that takes 0.1 s per removal at a million actors.

The names of pykka 4.5 with a leading underscore are what its documentation calls "for implementors of new
actor types"; pyproject.toml therefore holds pykka below 4.6.
"""

import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from queue import SimpleQueue
from typing import Any, Self

import pykka
import structlog
from pykka import messages
from pykka._envelope import Envelope
from pykka._threading import ThreadingFuture

log = structlog.get_logger(__name__)

TURN = 64  # messages one actor may handle before the next one's turn
ACTORS_AT_ONCE = 256  # that a worker takes from the queue

_numbers = count(1)


class _Flag:
    """What pykka asks of an Event, for 32 bytes instead of 500."""

    __slots__ = ("_set",)

    def __init__(self) -> None:
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True


class Inbox:
    """An actor's messages. Empty, it holds nothing: there are as many inboxes as guilds.

    Closed, it has let go of its actor, so that a ref that somebody keeps does not keep the actor too.
    """

    __slots__ = ("_actor", "_dispatcher", "_lock", "_messages", "_scheduled")

    def __init__(self, dispatcher: "Dispatcher", actor: "PooledActor") -> None:
        self._lock = dispatcher.lock
        self._dispatcher = dispatcher
        self._actor: PooledActor | None = actor
        self._messages: deque[Envelope[Any]] | None = None
        self._scheduled = False

    def __len__(self) -> int:
        return len(self._messages or ())

    def empty(self) -> bool:
        return not self._messages

    def get(self) -> Envelope[Any]:
        """Take the oldest message. Raises IndexError if there is none."""
        with self._lock:
            return (self._messages or deque()).popleft()

    def put(self, envelope: Envelope[Any], /) -> None:
        with self._lock:
            actor = self._actor
            if actor is not None:
                if self._messages is None:
                    self._messages = deque()
                self._messages.append(envelope)
                if self._scheduled:
                    return
                self._scheduled = True
        if actor is None:
            _refuse(envelope)
        else:
            self._dispatcher.schedule(actor)

    def take(self) -> Iterable[Envelope[Any]]:
        """Take one turn's messages, oldest first."""
        with self._lock:
            messages = self._messages
            if messages is None or len(messages) <= TURN:
                self._messages = None
                return messages or ()
            return [messages.popleft() for _ in range(TURN)]

    def rest(self) -> None:
        """End a turn: back into the queue if anything has come meanwhile."""
        with self._lock:
            actor = self._actor if self._messages else None
            self._scheduled = actor is not None
        if actor is not None:
            self._dispatcher.schedule(actor)

    def close(self) -> None:
        """Refuse what waits, and all that comes from now on."""
        with self._lock:
            waiting, self._messages, self._actor = self._messages or (), None, None
        for envelope in waiting:
            _refuse(envelope)


class PooledActor(pykka.Actor):
    """A pykka actor that shares its dispatcher's threads. Start one with ``start_on``."""

    _started = False

    def __init__(self, dispatcher: "Dispatcher") -> None:
        # Not pykka's own __init__: a uuid and an Event each would double an idle actor's memory. The inbox
        # must stand before the ref, which copies it.
        self._dispatcher = dispatcher
        self.actor_urn = f"urn:pooled:{next(_numbers)}"
        self.actor_inbox = Inbox(dispatcher, self)
        self.actor_stopped = _Flag()  # type: ignore[assignment]
        self._actor_ref = pykka.ActorRef(self)

    @classmethod
    def start_on(cls, dispatcher: "Dispatcher", *args: Any, **kwargs: Any) -> pykka.ActorRef[Self]:
        """Make an actor and let it live on the dispatcher's threads; ``on_start`` runs at its first turn."""
        actor = cls(dispatcher, *args, **kwargs)
        dispatcher.adopt(actor)
        return actor.actor_ref

    @staticmethod
    def _create_actor_inbox() -> Any:
        raise NotImplementedError("a pooled actor's inbox needs its dispatcher: use start_on")

    @staticmethod
    def _create_future() -> pykka.Future[Any]:
        return ThreadingFuture()

    def _start_actor_loop(self) -> None:
        raise NotImplementedError("a pooled actor needs its dispatcher: use start_on")

    def turn(self) -> None:
        """Handle some messages. Called by one worker at a time."""
        inbox: Inbox = self.actor_inbox  # type: ignore[assignment]
        if not self._started:
            self._started = True
            self._guarded_start()
        for envelope in inbox.take():
            if self.actor_stopped.is_set():
                _refuse(envelope)
            else:
                self._handle(envelope)
        if self.actor_stopped.is_set():
            inbox.close()
            self._dispatcher.release(self)
        else:
            inbox.rest()

    def _stop(self) -> None:
        try:
            super()._stop()
        except BaseException:  # noqa: BLE001 - see the module's docstring
            self._handle_failure(*sys.exc_info())

    def _guarded_start(self) -> None:
        try:
            self.on_start()
        except BaseException:  # noqa: BLE001 - see the module's docstring
            self._fail()

    def _handle(self, envelope: Envelope[Any]) -> None:
        try:
            response = self._handle_receive(envelope.message)
        except BaseException:  # noqa: BLE001 - see the module's docstring
            if envelope.reply_to is not None:
                envelope.reply_to.set_exception()
            else:
                self._fail()
        else:
            if envelope.reply_to is not None:
                envelope.reply_to.set(response)

    def _fail(self) -> None:
        self._handle_failure(*sys.exc_info())
        try:
            self.on_failure(*sys.exc_info())
        except BaseException:
            log.exception("on_failure_failed", actor=str(self))


def _refuse(envelope: Envelope[Any]) -> None:
    if envelope.reply_to is None:
        return
    if isinstance(envelope.message, messages._ActorStop):  # noqa: SLF001 - as pykka's own teardown does
        envelope.reply_to.set(None)
        return
    error = pykka.ActorDeadError("the actor stopped before handling the message")
    envelope.reply_to.set_exception((pykka.ActorDeadError, error, None))


class Dispatcher:
    """A few worker threads, and the actors that live on them.

    An actor must not ``ask`` another of the same dispatcher and wait: with one worker that never ends.
    """

    def __init__(self, workers: int = 1) -> None:
        self.lock = threading.Lock()
        self._ready: SimpleQueue[Sequence[PooledActor]] = SimpleQueue()
        self._held: dict[int, list[PooledActor]] = {}  # by thread
        self._actors: set[PooledActor] = set()  # strong: a ref alone does not keep its actor
        self._threads = [
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        return len(self._actors)

    def adopt(self, actor: PooledActor) -> None:
        """Keep an actor alive, and give it its first turn."""
        with self.lock:
            self._actors.add(actor)
            inbox: Inbox = actor.actor_inbox  # type: ignore[assignment]
            inbox._scheduled = True  # noqa: SLF001 - same module
        self.schedule(actor)

    def schedule(self, actor: PooledActor) -> None:
        """Let an actor have a turn."""
        held = self._held.get(threading.get_ident()) if self._held else None
        if held is None:
            self._ready.put((actor,))
        else:
            held.append(actor)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let the actors that this thread tells something meanwhile have their turns afterwards.

        A worker that waits is woken once for all of them: once for each would cost more than their work.
        """
        held = self._held[threading.get_ident()] = []
        try:
            yield
        finally:
            del self._held[threading.get_ident()]
            for start in range(0, len(held), ACTORS_AT_ONCE):
                self._ready.put(held[start : start + ACTORS_AT_ONCE])

    def release(self, actor: PooledActor) -> None:
        """Let go of a stopped actor."""
        with self.lock:
            self._actors.discard(actor)

    def alive(self) -> bool:
        """Return whether every worker lives: what one had taken when it ended is never done."""
        return all(thread.is_alive() for thread in self._threads)

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the workers after the turns queued so far; the actors are left as they are."""
        for _ in self._threads:
            self._ready.put(())
        for thread in self._threads:
            thread.join(timeout_s)

    def _work(self) -> None:
        while actors := self._ready.get():
            for actor in actors:
                actor.turn()
            del actor, actors  # an idle worker must not keep a stopped one
