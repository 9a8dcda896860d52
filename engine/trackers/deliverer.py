"""Tells listeners what became of players and events: of each in order, of different ones side by side."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from engine.domain.tracker_effects import TellListeners, TransitionKind
from engine.domain.tracker_inputs import ExpiryDecided
from engine.domain.tracking import SubjectKind
from engine.trackers.listeners import EXPIRE, Answer, Method, Methods, answer_of
from engine.trackers.source import Journal
from engine.trackers.threads import Threads
from engine.trackers.told import line

log = structlog.get_logger(__name__)

# What waits, of one subject and in all; what comes beyond is not told, and counted.
WAITING_MAX, WAITING_MAX_IN_ALL = 1_000, 100_000
SUBJECTS_AT_ONCE = 1_000
THREADS = 8  # for listeners that are not async
ASYNC_LIMIT_S = 60.0

_Subject = tuple[SubjectKind, int]


@dataclass(slots=True)
class DeliveryStats:
    """Counters of one life that any thread may read. ``told``: calls of listeners that ended well."""

    told: int = 0
    failed: int = 0
    dropped: int = 0
    waiting: int = 0


class Deliverer:
    """A thread with an event loop for async listeners, a few more threads for the others.

    A listener that is slow delays its own subject. One that blocks the event loop in an async method, or all
    threads at once, delays others too: what may block belongs in a method that is not async.
    """

    def __init__(self, methods: Methods, journal: Journal, now: Callable[[], int]) -> None:
        self.stats = DeliveryStats()
        self._methods, self._journal, self._now = methods, journal, now
        self._lock = threading.Lock()
        self._waiting: dict[_Subject, deque[TellListeners]] = {}
        self._ready: deque[_Subject] = deque()  # those that wait and are not being told
        self._busy: set[asyncio.Task[None]] = set()
        self._threads = Threads("listener", THREADS)
        self._thread = threading.Thread(target=self._run, name="listeners", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = asyncio.Event()
        self._is_dropping = self._is_closed = False

    def start(self) -> None:
        """Begin. What was delivered before waits until then."""
        if any(self._methods.values()):
            self._thread.start()

    def deliver(self, told: TellListeners) -> None:
        """Have listeners told, and return at once. Any thread may call."""
        if not self._methods.get(told.what):
            if told.what is TransitionKind.EXPIRING:
                self._decide(told, EXPIRE)  # nobody wants to be asked
            return
        with self._lock:
            if not self._is_closed and self._put((told.kind, told.subject_id), told):
                self._call_in(self._begin)

    def stop(self, timeout_s: float = 5.0) -> None:
        """Tell what waits, as much as can be told in that time; end for good."""
        give_up_at = time.monotonic() + timeout_s
        with self._lock:
            self._is_closed = True
            self._call_in(self._end_if_done)
        if self._thread.ident is not None:
            self._thread.join(max(0.0, give_up_at - time.monotonic()))
            with self._lock:
                self._call_in(self._ended.set)
            self._thread.join(1.0)
        self._threads.stop()

    def _put(self, subject: _Subject, told: TellListeners) -> bool:
        """Let it wait; say whether its subject's turn is to be called."""
        queue = self._waiting.get(subject)
        if self.stats.waiting >= WAITING_MAX_IN_ALL or (queue is not None and len(queue) >= WAITING_MAX):
            self._drop(told)
            return False
        self.stats.waiting += 1
        if queue is not None:
            queue.append(told)
            return False
        self._waiting[subject] = deque([told])
        self._ready.append(subject)
        return True

    def _drop(self, told: TellListeners) -> None:
        self.stats.dropped += 1
        if not self._is_dropping:
            log.error("listeners_too_slow", kind=told.kind.name.lower(), subject_id=told.subject_id)
        self._is_dropping = True

    def _call_in(self, call: Callable[[], object]) -> None:
        """Call in the event loop, while there is one. The lock is held, so that it is not closed between."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(call)

    # The thread.

    def _run(self) -> None:
        try:
            asyncio.run(self._work())
        except Exception:
            log.exception("listeners_ended")

    async def _work(self) -> None:
        with self._lock:
            self._loop = asyncio.get_running_loop()
        self._begin()
        if self._is_closed:
            self._end_if_done()
        try:
            await self._ended.wait()
        finally:
            with self._lock:
                self._loop, self._is_closed = None, True
                self._ready.clear()  # nobody else's turn comes
            for task in self._busy:
                task.cancel()
            await asyncio.gather(*self._busy, return_exceptions=True)

    def _begin(self) -> None:
        while len(self._busy) < SUBJECTS_AT_ONCE:
            with self._lock:
                if not self._ready:
                    return
                subject = self._ready.popleft()
            task = asyncio.get_running_loop().create_task(self._serve(subject))
            self._busy.add(task)
            task.add_done_callback(self._served)

    def _served(self, task: "asyncio.Task[None]") -> None:
        self._busy.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("listeners_failed", reason=line(error), exc_info=error)
        self._begin()
        if self._is_closed:
            self._end_if_done()

    def _end_if_done(self) -> None:
        with self._lock:
            is_done = not self._waiting
        if is_done:
            self._ended.set()

    async def _serve(self, subject: _Subject) -> None:
        """Tell all that waits of one subject."""
        while (told := self._next(subject)) is not None:
            if told.what is TransitionKind.EXPIRING:
                self._decide(told, await self._ask(told))
            else:
                for method in self._methods[told.what]:
                    await self._call(method, told)

    def _next(self, subject: _Subject) -> TellListeners | None:
        with self._lock:
            queue = self._waiting[subject]
            if not queue:
                del self._waiting[subject]
                return None
            self.stats.waiting -= 1
            self._is_dropping = self._is_dropping and self.stats.waiting > 0
            return queue.popleft()

    async def _ask(self, told: TellListeners) -> Answer:
        """Return the first answer that is not to expire."""
        for method in self._methods[told.what]:
            returned = await self._call(method, told)
            try:
                answer = answer_of(returned)
            except ValueError as error:
                self._failed(method, told, error)
            else:
                if answer != EXPIRE:
                    return answer
        return EXPIRE

    def _decide(self, told: TellListeners, answer: Answer) -> None:
        if told.deadline is None:
            return
        decided = ExpiryDecided(
            self._now(),
            told.guild_id,
            int(told.kind),
            told.subject_id,
            told.deadline,
            int(answer.decision),
            answer.postpone_ms,
        )
        try:
            self._journal.append(decided)
        except Exception:
            # The engine decides by itself when its time is up.
            log.exception("decision_lost", subject_id=told.subject_id)

    async def _call(self, method: Method, told: TellListeners) -> object:
        """Call one listener; what it raises skips nobody else."""
        answer: object = None
        try:
            answer = await self._answer(method, told)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self._failed(method, told, error)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - a listener ends nothing
            self._failed(method, told, error)
        else:
            self.stats.told += 1
        return answer

    async def _answer(self, method: Method, told: TellListeners) -> object:
        if not method.is_async:
            answer = await self._threads.call(method.call, told)
            if not asyncio.iscoroutine(answer):
                return answer
        else:
            answer = method.call(told)
        async with asyncio.timeout(ASYNC_LIMIT_S):
            return await answer

    def _failed(self, method: Method, told: TellListeners, error: BaseException) -> None:
        self.stats.failed += 1
        log.error(
            "listener_failed",
            listener=method.name,
            subject_id=told.subject_id,
            reason=line(error),
            exc_info=error,
        )
