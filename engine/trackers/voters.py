"""Which trackers run: journaled when that changes, and with each scope, so that nobody waits for others."""

import threading
from collections.abc import Callable, Sequence

from engine.domain.inputs import Input
from engine.domain.tracker_inputs import ScopeCommitted, TrackersKnown
from engine.trackers.source import Journal


class Voters:
    """The journal as trackers' scopes get into it (``source.Journal``). Any thread may call.

    The order of what is told here is the journal's, so no scope can tell less than was told before it.
    """

    def __init__(self, labels: Sequence[str], journal: Journal, now: Callable[[], int]) -> None:
        self._labels, self._journal, self._now = labels, journal, now
        self._running: tuple[str, ...] | None = None
        self._silent: dict[str, int] = {}
        self._lock = threading.Lock()

    def tell(self, running: tuple[str, ...]) -> None:
        """Journal which trackers run, if that is not what was journaled last. Raises as the journal does."""
        with self._lock:
            if running == self._running:
                return
            at = self._now()
            self._journal.append(TrackersKnown(at, running))
            self._running = running
            self._silent = {it: self._silent.get(it, at) for it in self._labels if it not in running}

    def append(self, *inputs: Input) -> None:
        """Journal a scope's marks, with which trackers do not run."""
        with self._lock:
            self._journal.append(*map(self._with_silent, inputs))

    def _with_silent(self, it: Input) -> Input:
        if not self._silent or not isinstance(it, ScopeCommitted):
            return it
        return ScopeCommitted(it.at, it.tracker, it.marks, tuple(self._silent.items()))
