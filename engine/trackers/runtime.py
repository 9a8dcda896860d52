"""Runs all trackers and tells all listeners; what the daemon starts and stops."""

import threading
import time
from collections import Counter
from collections.abc import Callable

import structlog

from engine.domain.tracker_effects import TellListeners
from engine.domain.tracking import SubjectKind
from engine.trackers.context import TrackerContext
from engine.trackers.deliverer import Deliverer, DeliveryStats
from engine.trackers.loading import Loaded, LoadedTracker, Problem
from engine.trackers.pace import Pace
from engine.trackers.source import Journal, Source
from engine.trackers.status import Counts, TrackerState, TrackerStatus
from engine.trackers.voters import Voters
from engine.trackers.worker import Worker

log = structlog.get_logger(__name__)

WATCH_EVERY_S = 1.0


class TrackerRuntime:
    """``loaded`` comes from ``loading.load``. ``start`` once, ``stop`` for good; the rest at any time.

    Which trackers run is journaled at the start and whenever one is given up, blocks, or goes on: the marks
    of all others are dropped. So a start with no trackers at all drops what an earlier life left.
    """

    def __init__(self, loaded: Loaded, source: Source, journal: Journal, now: Callable[[], int]) -> None:
        self._loaded, self._source, self._now = loaded, source, now
        loaded.late.bind(source, journal)
        self._deliverer = Deliverer(loaded.methods, journal, now)
        self._voters = Voters(loaded.labels, journal, now)
        self._workers = [self._worker(it) for it in loaded.trackers]
        self._telling = threading.Lock()
        self._started = False
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._keep_watch, name="trackers", daemon=True)

    @property
    def deliveries(self) -> DeliveryStats:
        """Return the counters of what listeners are told."""
        return self._deliverer.stats

    def start(self) -> None:
        """Begin. A second call does nothing; one after ``stop`` raises RuntimeError."""
        if self._stopping.is_set():
            raise RuntimeError("the trackers have been stopped: make a new TrackerRuntime")
        if self._started:
            return
        self._started = True
        for problem in self._loaded.problems:
            log.error("tracker_not_loaded", key=problem.key, reason=problem.text)
        self._tell_known()
        self._deliverer.start()
        for worker in self._workers:
            worker.start()
        self._watch.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End: runs are cancelled, listeners told what waits, both as far as ``timeout_s`` goes."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        give_up_at = time.monotonic() + timeout_s
        for worker in self._workers:
            worker.cancel()
        left = [it.label for it in self._workers if not it.join(give_up_at - time.monotonic())]
        if left:
            log.warning("trackers_did_not_stop", trackers=left)
        self._deliverer.stop(max(0.0, give_up_at - time.monotonic()))
        if self._watch.ident is not None:
            self._watch.join(1.0)

    def wake(self) -> None:
        """Have all polling trackers run now."""
        for worker in self._workers:
            worker.wake()

    def deliver(self, told: TellListeners) -> None:
        """Have listeners told of a transition, and return at once."""
        self._deliverer.deliver(told)

    def statuses(self) -> list[TrackerStatus]:
        """Return how each tracker does, in the order of the configuration, and what could not be loaded."""
        inactive, subjects = self._marks()
        found = [
            it.status(inactive[it.label], sum(subjects[kind] for kind in it.kinds)) for it in self._workers
        ]
        return found + [_not_loaded(it) for it in self._loaded.problems]

    def _worker(self, it: LoadedTracker) -> Worker:
        pace = Pace(it.label, self._loaded.specs.scopes_per_s)

        def new_context() -> TrackerContext:
            kinds = it.tracker.reports_on
            return TrackerContext(it.label, self._source, self._voters, self._now, kinds, pace)

        return Worker(it, new_context, self._loaded.specs, self._tell_known, self._now)

    def _marks(self) -> tuple[Counter[str], Counter[SubjectKind]]:
        """Return how many subjects each tracker holds inactive, and how many subjects there are."""
        inactive: Counter[str] = Counter()
        subjects: Counter[SubjectKind] = Counter()
        for state in self._source.players():
            subjects[SubjectKind.PLAYER] += 1
            inactive.update(() if state.subject is None else state.subject.marks.keys())
        for event in self._source.events():
            subjects[SubjectKind.EVENT] += 1
            place = (SubjectKind.EVENT, event.guild_id, event.event_id)
            inactive.update(it.label for it in self._workers if self._source.mark(*place, it.label))
        return inactive, subjects

    def _tell_known(self) -> None:
        """Journal which trackers run, if that is not what was journaled last."""
        with self._telling:
            if self._stopping.is_set():
                return
            try:
                self._voters.tell(tuple(it.label for it in self._workers if it.counts_as_running))
            except Exception:  # it is tried again with the next look
                log.exception("trackers_not_journaled")

    def _keep_watch(self) -> None:
        while not self._stopping.wait(WATCH_EVERY_S):
            for worker in self._workers:
                worker.check()
            self._tell_known()


def _not_loaded(problem: Problem) -> TrackerStatus:
    return TrackerStatus(
        label=problem.key,
        class_name=problem.class_path,
        mode=None,
        interval_s=None,
        state=TrackerState.NOT_LOADED,
        counts=Counts(),
        last_error=problem.text,
    )
