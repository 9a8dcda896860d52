"""One life of a tracker: from its start to its end or next start, in a thread and event loop of its own."""

import asyncio
import inspect
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from engine.trackers.context import TrackerContext
from engine.trackers.status import Counts
from engine.trackers.tracker import Mode, Tracker
from engine.trackers.voice import fail_run

log = structlog.get_logger(__name__)

# A shorter interval would take the interpreter from everybody else.
SHORTEST_INTERVAL_S = 0.01


class RunEndedError(Exception):
    """A run ended as it should not: too late, or a realtime one without an error."""


class Life:
    """Runs a tracker until it fails. Every other method may be called from any thread.

    ``interval_s``: of a polling one. ``limit_s``: how long a polling run may take. ``counts`` outlive it.
    """

    def __init__(  # noqa: PLR0913 - what a run needs, all named by the caller
        self,
        tracker: Tracker,
        context: TrackerContext,
        *,
        mode: Mode,
        interval_s: float,
        limit_s: float,
        counts: Counts,
        now: Callable[[], int],
    ) -> None:
        self.context = context
        self.running_since: float | None = None  # all of these monotonic
        self.ending_since: float | None = None
        self.asked_at: float | None = None  # whether the loop goes on, unanswered since
        self._tracker, self._mode, self._counts, self._now = tracker, mode, counts, now
        self._interval_s, self._limit_s = max(interval_s, SHORTEST_INTERVAL_S), limit_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._failure: BaseException | None = None
        self._given_up: BaseException | None = None
        self._cancelled = False

    def run(self) -> BaseException | None:
        """Live, in this thread. Returns what ended it; None: it was cancelled."""
        try:
            asyncio.run(self._live())
        except BaseException as error:  # noqa: BLE001 - a tracker's SystemExit is not the process's
            return None if self._cancelled and isinstance(error, asyncio.CancelledError) else error
        finally:
            self.context.close()
        if self._cancelled:
            return None
        return RunEndedError("its run() returned: a realtime tracker goes on until it is cancelled")

    def cancel(self) -> None:
        """Ask it to end."""
        self._cancelled = True
        self._call(self._cancel)

    def give_up(self, error: BaseException) -> None:
        """End it with this as soon as it goes on; until then it commits nothing."""
        self._given_up = error
        self.context.close()

    def wake(self) -> None:
        """Have a polling one run now."""
        self._call(self._woken.set)

    def ask(self) -> None:
        """Ask its loop whether it goes on; ``asked_at`` is None again once it does."""
        if self.asked_at is None:
            self.asked_at = time.monotonic()
            self._call(self._answer)

    def _call(self, call: Callable[[], object]) -> None:
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # it is closed by now
                loop.call_soon_threadsafe(call)

    # In its loop.

    def _answer(self) -> None:
        self.asked_at = None
        if self._given_up is not None:
            self._fail(self._given_up)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._cancel()

    async def _live(self) -> None:
        self._task = asyncio.current_task()
        fail_run.set(self._fail)
        self._loop = asyncio.get_running_loop()
        if self._cancelled:
            return
        self.asked_at = None
        try:
            await (self._poll() if self._mode is Mode.POLLING else self._run_once(None))
        except asyncio.CancelledError:
            if self._failure is not None:
                raise self._failure from None
            raise
        finally:
            self.ending_since = time.monotonic()

    async def _poll(self) -> None:
        loop = asyncio.get_running_loop()
        due_at = loop.time()
        while True:
            await self._run_once(self._limit_s)
            due_at += self._interval_s
            behind = int(max(0.0, loop.time() - due_at) / self._interval_s)
            self._counts.skipped += behind
            due_at += behind * self._interval_s
            await self._until(due_at)

    async def _until(self, due_at: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due_at):
                await self._woken.wait()
        self._woken.clear()

    async def _run_once(self, limit_s: float | None) -> None:
        self._counts.last_run_at, self.running_since = self._now(), time.monotonic()
        self._counts.runs += 1
        try:
            async with asyncio.timeout(limit_s) as limit:
                # A run that is not async may be polled, too: its thread is its own.
                ending: object = self._tracker.run(self.context)
                if inspect.isawaitable(ending):
                    await ending
        except TimeoutError:
            if limit.expired():
                raise RunEndedError(f"a run took longer than {limit_s:g} s") from None
            raise
        finally:
            took_s = time.monotonic() - self.running_since
            self.running_since = None
            self._counts.last_run_s = took_s
            self._counts.run_s += took_s
            self._release()

    def _release(self) -> None:
        """Let go of a scope that the run has left open: the next run could have none."""
        if self.context.release():
            self._counts.leaked_scopes += 1
            log.warning("scope_left_open", tracker=self.context.label)
