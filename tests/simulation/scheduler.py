"""One thread for all actors, in virtual time: whose turn it is, is drawn from a seed.

Who waits for an answer gives turns to others until it is there, so turns nest; only what never waits for
another actor may have a turn inside another's. In the engine that is everybody but the partition.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

import pykka
from pykka._threading import ThreadingFuture

from engine.actors.partition import Partition
from engine.actors.pool import PooledActor
from engine.actors.supervisor import Budget, Supervisor
from engine.actors.system import System

NO_LIMIT = Budget(10**9)  # random failures are not to spend it: a quarantined guild's rows do differ
TURNS_ASLEEP = 3  # that others have at most while somebody sleeps
Turn = Callable[[], None]


class Killed(BaseException):
    """The process is dead: nothing that runs in it may do anything any more."""


class _TurnOver(BaseException):
    """An actor's loop has handled the one message of its turn."""


class Stuck(Exception):  # noqa: N818 - what was found
    """Somebody waits without limit for what nobody will ever do."""


class Scheduler:
    """``now``: virtual time, s. ``others``: what else goes on meanwhile, such as the ingest."""

    def __init__(self, rng: Random, others: Callable[[], list[Turn]], die: Callable[[str], None]) -> None:
        self.rng, self.now, self.turns = rng, 0.0, 0
        self.dead = False
        self._others, self._die = others, die
        self._ready: list[tuple[Any, Turn]] = []
        self._at_work: list[Any] = []

    def schedule(self, who: Any, turn: Turn) -> None:
        """Let somebody have a turn some time."""
        self._ready.append((who, turn))

    def check(self) -> None:
        """Raise ``Killed`` in a process that is dead."""
        if self.dead:
            raise Killed

    def turn(self) -> bool:
        """Give one turn to anybody who may have it; False where nobody has anything to do."""
        self.check()
        nested = bool(self._at_work)
        mine = [it for it in self._ready if it[0] not in self._at_work and not (nested and _waits(it[0]))]
        choices: list[tuple[Any, Turn]] = [*mine, *((None, turn) for turn in self._others())]
        if not choices:
            return False
        who, turn = chosen = choices[self.rng.randrange(len(choices))]
        if who is not None:
            self._ready.remove(chosen)
        self._at_work.append(who)
        self.turns += 1
        try:
            self._die("a turn")
            turn()
        finally:
            self._at_work.pop()
        self.check()
        return True

    def run_until(self, done: Callable[[], bool], timeout_s: float | None) -> bool:
        """Give turns until something is done; False if virtual time ran out before."""
        while not done():
            if not self.turn():
                if timeout_s is None:
                    raise Stuck("nobody has anything to do")
                self.now += timeout_s
                return done()
        return True

    def sleep(self, for_s: float) -> None:
        """Let time pass, and others do something in it."""
        for _ in range(self.rng.randrange(TURNS_ASLEEP + 1)):
            self.turn()
        self.check()
        self.now += for_s


def _waits(who: Any) -> bool:
    return isinstance(who, Partition)


class VirtualEvent:
    """A ``threading.Event`` whose waiting takes virtual time."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler, self._set = scheduler, False

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None, "nobody may wait for ever"
        if not self._set:
            self._scheduler.sleep(timeout)
        return self._set


class Inbox:
    """A queue: to put into a full one gives turns to others until there is room."""

    def __init__(self, scheduler: Scheduler, actor: Any, limit: int) -> None:
        self._scheduler, self._actor, self._limit = scheduler, actor, limit
        self._messages: deque[Any] = deque()
        self._scheduled = self.taken = False

    def empty(self) -> bool:
        return not self._messages

    def put(self, envelope: Any, /) -> None:
        if self._limit and len(self._messages) >= self._limit:
            self._scheduler.run_until(lambda: len(self._messages) < self._limit, None)
        self._messages.append(envelope)
        self.schedule()

    def get(self) -> Any:
        if self.taken and not self._actor.actor_stopped.is_set():
            raise _TurnOver
        self.taken = True
        return self._messages.popleft()

    def schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._scheduler.schedule(self._actor, self._actor.turn)

    def begin(self) -> None:
        self._scheduled = self.taken = False

    def end(self) -> None:
        if self._messages:
            self.schedule()


class Cooperative:
    """Mixed into a ``ThreadingActor``: pykka's own loop, one message a turn.

    ``scheduler`` is set on the class that ``system`` makes.
    """

    scheduler: Scheduler
    _begun = False

    @classmethod
    def start(cls, *arguments: Any, **named: Any) -> Any:
        """Start without pykka's registry: the actors of a dead process would stay in it."""
        actor = cls(*arguments, **named)
        actor.actor_inbox.schedule()
        return actor.actor_ref

    def _create_actor_inbox(self) -> Any:
        limit = getattr(super()._create_actor_inbox(), "maxsize", 0)
        return Inbox(self.scheduler, self, limit)

    @classmethod
    def _create_future(cls) -> Any:
        return _future_of(cls.scheduler)()

    def turn(self) -> None:
        self.actor_inbox.begin()
        if not self._begun:
            self._begun = True
            self._actor_loop_setup()
        if not self.actor_inbox.empty():
            with suppress(_TurnOver):
                self._actor_loop_running()
        self.scheduler.check()
        if self.actor_stopped.is_set():
            self._actor_loop_teardown()
        else:
            self.actor_inbox.end()


def _future_of(scheduler: Scheduler) -> type:
    class Answer(ThreadingFuture):  # type: ignore[type-arg]
        """Waiting for it gives turns to others. ``stop`` makes one of its own class."""

        def get(self, *, timeout: float | None = None) -> Any:
            if self._get_hook is None and not scheduler.run_until(lambda: self._result is not None, timeout):
                raise pykka.Timeout(f"{timeout} seconds")
            return super().get(timeout=timeout)

    return Answer


class OneThread:
    """What ``pool.Dispatcher`` is to its actors: their turns are the scheduler's to give."""

    def __init__(self, scheduler: Scheduler, adopted: Callable[[PooledActor], None]) -> None:
        self.lock = _NoLock()
        self._scheduler, self._adopted = scheduler, adopted
        self._actors: list[PooledActor] = []
        self._waiting: list[PooledActor] = []

    def __len__(self) -> int:
        return len(self._actors)

    def adopt(self, actor: PooledActor) -> None:
        self._actors.append(actor)
        self._adopted(actor)
        actor.actor_inbox._scheduled = True
        self.schedule(actor)

    def schedule(self, actor: PooledActor) -> None:
        self._waiting.append(actor)
        self._scheduler.schedule(actor, lambda: self._turn(actor))

    def _turn(self, actor: PooledActor) -> None:
        self._waiting.remove(actor)
        actor.turn()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Have all turns at once: the round that is waited for then is over."""
        yield
        self._scheduler.run_until(lambda: not self._waiting, 60.0)

    def release(self, actor: PooledActor) -> None:
        self._actors.remove(actor)

    def alive(self) -> bool:
        """Return whether there is somebody to give turns: the scheduler, always."""
        return True

    def stop(self, timeout_s: float = 5.0) -> None:
        """Leave the actors as they are."""


class _NoLock:
    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


class Beside(Executor):
    """One thing after the other, each in a turn of its own."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler, self._works = scheduler, deque[Turn]()

    def submit(self, work: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        self._works.append(lambda: work(*arguments, **named))
        self._scheduler.schedule(self._works, self._turn)
        return Future()

    def shutdown(self, *_: object, **__: object) -> None:
        self._works.clear()

    def _turn(self) -> None:
        if self._works:
            self._works.popleft()()


def system(scheduler: Scheduler, adopted: Callable[[PooledActor], None], budget: Budget = NO_LIMIT) -> System:
    """Return what actors run on: this thread. ``adopted`` is given each pooled actor before its turns."""
    kinds: dict[type, Any] = {}

    def start(kind: type, *arguments: Any) -> Any:
        if kind not in kinds:
            kinds[kind] = type(kind.__name__, (Cooperative, kind), {"scheduler": scheduler})
        named = {"budget": budget} if kind is Supervisor else {}
        return kinds[kind].start(*arguments, **named)

    return System(
        start,
        lambda _: OneThread(scheduler, adopted),
        lambda _: Beside(scheduler),
        lambda: VirtualEvent(scheduler),
        lambda: scheduler.now,
    )
