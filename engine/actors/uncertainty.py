"""How much of what was committed is not certain: where the gateway was away. Others may read at any time."""

from collections.abc import Iterable, Sequence

from engine.domain.effects import Effect, SaveSession, SaveSpan
from engine.domain.inputs import VoiceFlags
from engine.inspection import Sample

_BRIDGED = int(VoiceFlags.BRIDGED)


class Uncertainty:
    """Counts since the start. ``sessions``: closed ones with a boundary that nobody saw."""

    def __init__(self) -> None:
        self.sessions = 0
        self.slack_ms = 0
        self.bridged = 0
        self.bridged_ms = 0

    def count(self, effects: Sequence[Effect], kinds: set[type]) -> None:
        """Count what a commit holds. ``kinds``: its effects' types."""
        if SaveSession not in kinds and SaveSpan not in kinds:
            return
        for it in effects:
            if type(it) is SaveSession and it.left_at is not None:
                slack_ms = it.session.joined_slack_ms + it.left_slack_ms
                self.sessions += slack_ms > 0
                self.slack_ms += slack_ms
            elif type(it) is SaveSpan and it.flags & _BRIDGED:
                self.bridged += 1
                self.bridged_ms += it.ended_at - it.started_at


def uncertainty_samples(of: Iterable[Uncertainty]) -> Iterable[Sample]:
    """Yield the sums over the partitions."""
    all_of = list(of)
    for name, text, value in (
        (
            "uncertain_sessions",
            "Sessions closed with a boundary that nobody saw",
            [it.sessions for it in all_of],
        ),
        ("slack_seconds", "Slack of such boundaries", [it.slack_ms / 1000 for it in all_of]),
        ("bridged_gaps", "Gaps of the gateway that a session outlasted", [it.bridged for it in all_of]),
        ("bridged_seconds", "Time in sessions that was not watched", [it.bridged_ms / 1000 for it in all_of]),
    ):
        yield Sample(f"rollcall_{name}_total", "counter", text, sum(value))
