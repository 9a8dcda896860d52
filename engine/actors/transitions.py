"""How often what became of the subjects of trackers. Counted once committed; others may read at any time."""

from collections import Counter
from collections.abc import Iterable

from engine.domain.guild import GuildState
from engine.domain.tracker_effects import TellListeners, TransitionKind
from engine.domain.tracking import PlayerState, SubjectKind
from engine.inspection import Described, Sample

_PER_TRACKER = {
    "runs": ("tracker_runs", "Runs of a tracker"),
    "failures": ("tracker_failures", "Runs that ended with an exception"),
    "restarts": ("tracker_restarts", "Times it was started again"),
    "runS": ("tracker_run_seconds", "Time spent in its runs"),
}


class Transitions:
    """``cancelled``: deadlines that ran, and whose subject became active before they passed."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[SubjectKind, TransitionKind]] = Counter()
        self.cancelled = 0
        self._expired: set[tuple[SubjectKind, int]] = set()

    def count(self, it: TellListeners) -> None:
        """Count one."""
        self.counts[it.kind, it.what] += 1
        subject = (it.kind, it.subject_id)
        if it.what is TransitionKind.INACTIVE:
            self._expired.add(subject)
        elif it.what in (TransitionKind.ACTIVE, TransitionKind.TRACKED):
            self.cancelled += it.what is TransitionKind.ACTIVE and subject not in self._expired
            self._expired.discard(subject)

    def samples(self) -> Iterable[Sample]:
        """Yield the counts as metrics."""
        for (kind, what), count in self.counts.copy().items():
            labels = {"subject": kind.name.lower(), "what": what.name.lower()}
            yield Sample(
                "rollcall_transitions_total", "counter", "What trackers' words led to", count, labels
            )
        told = "Deadlines whose subject became active in time"
        yield Sample("rollcall_deadlines_cancelled_total", "counter", told, self.cancelled)


def player_samples(players: Iterable[GuildState]) -> Iterable[Sample]:
    """Yield how many players there are in each state."""
    states = Counter(it.player.state for it in players if it.player is not None)
    for state in PlayerState:
        labels = {"state": state.name.lower()}
        yield Sample("rollcall_players", "gauge", "The bot's players", states[state], labels)


def tracker_samples(trackers: Iterable[Described]) -> Iterable[Sample]:
    """Yield how each tracker fares, from what it tells of itself."""
    for it in trackers:
        for key, (name, text) in _PER_TRACKER.items():
            yield Sample(f"rollcall_{name}_total", "counter", text, it[key], {"tracker": it["label"]})
