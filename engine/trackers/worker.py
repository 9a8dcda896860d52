"""A tracker's thread: starts it, starts it again when it fails, and gives it up when it fails too often."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from engine.trackers.context import NotJournaledError, TrackerContext
from engine.trackers.durations import positive_s
from engine.trackers.life import Life
from engine.trackers.loading import LoadedTracker
from engine.trackers.restarts import Restarts
from engine.trackers.specs import TrackerSpecs
from engine.trackers.status import Counts, TrackerState, TrackerStatus
from engine.trackers.told import cause, line
from engine.trackers.tracker import Mode

log = structlog.get_logger(__name__)


class BlockedError(Exception):
    """A tracker kept its thread from going on for too long."""


class Worker:
    """For one tracker. A thread each: one that blocks, or never yields, delays nobody else's runs.

    ``changed`` is called, on any thread, when ``counts_as_running`` may have changed; before the tracker is
    started again.
    """

    def __init__(
        self,
        loaded: LoadedTracker,
        new_context: Callable[[], TrackerContext],
        specs: TrackerSpecs,
        changed: Callable[[], None],
        now: Callable[[], int],
    ) -> None:
        self.label, self.kinds = loaded.label, loaded.tracker.reports_on
        self._loaded, self._new_context, self._changed, self._now = loaded, new_context, changed, now
        interval_s = loaded.options.poll_interval_s or specs.default_poll_interval_s
        self._interval_s = positive_s(interval_s, "poll_interval_s")
        self._limit_s = specs.run_limit_s
        self._restarts, self._counts = Restarts(), Counts()
        self._state, self._last_error = TrackerState.RUNNING, ""
        self._life = self._new_life()
        self._lock = threading.Lock()  # of the state and the life
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._main, name=f"tracker-{self.label}", daemon=True)

    @property
    def counts_as_running(self) -> bool:
        """Say whether its marks are kept: it runs, or will at once."""
        return self._state in (TrackerState.RUNNING, TrackerState.WAITING)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Have a polling tracker run now."""
        self._life.wake()

    def cancel(self) -> None:
        """Ask it to end; ``join`` waits for that."""
        with self._lock:
            self._stopping.set()
            self._life.cancel()

    def join(self, timeout_s: float) -> bool:
        """Wait until it has ended; say whether it has. Whatever goes on in it commits nothing any more."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, timeout_s))
        self._life.context.close()
        return not self._thread.is_alive()

    def check(self) -> None:
        """Look whether its thread goes on. Called about once a second."""
        life = self._life
        since = life.ending_since or life.asked_at
        if since is not None and time.monotonic() - since > self._limit_s:
            self._block(life)
        life.ask()

    def status(self, inactive: int, subjects: int) -> TrackerStatus:
        """Return how it does; how many of its subjects it holds inactive now, and of how many, is given."""
        life = self._life
        since = life.running_since
        running_s = None if since is None else time.monotonic() - since
        polls = self._loaded.options.mode is Mode.POLLING
        return TrackerStatus(
            label=self.label,
            class_name=self._loaded.class_name,
            mode=str(self._loaded.options.mode),
            interval_s=self._interval_s if polls else None,
            state=self._state,
            counts=replace(self._counts),
            running_s=running_s,
            overdue=polls and running_s is not None and running_s > self._limit_s,
            last_error=self._last_error,
            active=subjects - inactive,
            inactive=inactive,
            scope_open_s=life.context.scope_open_s,
            slowed_s=life.context.slowed_s,
        )

    def _new_life(self) -> Life:
        """Return its next life: what may still go on of the one before can commit nothing."""
        return Life(
            self._loaded.tracker,
            self._new_context(),
            mode=self._loaded.options.mode,
            interval_s=self._interval_s,
            limit_s=self._limit_s,
            counts=self._counts,
            now=self._now,
        )

    def _block(self, life: Life) -> None:
        with self._lock:
            if self._state is not TrackerState.RUNNING or self._life is not life:
                return
            self._state = TrackerState.BLOCKED
            self._last_error = f"it keeps its thread from going on for more than {self._limit_s:g} s"
        life.give_up(BlockedError(self._last_error))
        log.error("tracker_blocked", tracker=self.label, reason=self._last_error)
        self._changed()

    # The thread.

    def _main(self) -> None:
        while not self._stopping.is_set():
            error = self._life.run()
            if self._stopping.is_set() or error is None:
                break
            delay_s = self._failed(error)
            if delay_s is None:
                self._enter(TrackerState.DEAD)
                return
            self._stopping.wait(delay_s)
            self._begin_again()
        self._enter(TrackerState.STOPPED)

    def _failed(self, error: BaseException) -> float | None:
        """Return how long to wait before the next life, None if there is none."""
        self._counts.failures += 1
        self._last_error = line(error)
        ours = isinstance(cause(error), NotJournaledError)
        delay_s = self._restarts.wait() if ours else self._restarts.spend(time.monotonic())
        what = "tracker_dead" if delay_s is None else "tracker_failed"
        log.error(what, tracker=self.label, reason=self._last_error, exc_info=error)
        if delay_s is not None and self._state is not TrackerState.BLOCKED:
            self._enter(TrackerState.WAITING)
        return delay_s

    def _begin_again(self) -> None:
        with self._lock:
            if self._stopping.is_set():
                return
            self._life = self._new_life()
        self._counts.restarts += 1
        self._enter(TrackerState.RUNNING)

    def _enter(self, state: TrackerState) -> None:
        with self._lock:
            self._state = state
        self._changed()
