"""What comes in about a subject, and what goes out: the same for players and for events."""

from collections.abc import Iterable

from engine.domain import inactivity
from engine.domain.effects import Effect
from engine.domain.event_effects import Answer
from engine.domain.inactivity import Step, Transition
from engine.domain.rules import TrackingRules
from engine.domain.tracker_effects import SaveSubject, TellListeners
from engine.domain.tracker_inputs import (
    EventMarked,
    ExpiryDecided,
    SubjectMark,
    SubjectOverridden,
    TrackersKnown,
)
from engine.domain.tracking import Decision, Override, Subject, SubjectKind

# A mark: the tracker's label, what it says, and which trackers do not run, since when.
Marking = tuple[str, SubjectMark | EventMarked, tuple[tuple[str, int], ...]]
# What is told of one subject.
Word = Marking | SubjectOverridden | ExpiryDecided | TrackersKnown


def take(subject: Subject, rules: TrackingRules, word: Word, at: int) -> Step:
    """Take a tracker's mark, an override, a decision, or which trackers run.

    Time up to ``at`` must have been taken before (``inactivity.pass_time``).
    """
    at = inactivity.in_order(subject, at)
    match word:
        case tuple():
            return _marked(subject, rules, word, at)
        case SubjectOverridden():
            return inactivity.override(subject, rules, _wanted(word), at)
        case ExpiryDecided():
            if word.deadline != subject.deadline:  # about another time that it was asked
                return subject, []
            return inactivity.decide(subject, rules, Decision(word.decision), word.postpone_ms, at)
        case TrackersKnown():
            return inactivity.keep_only(subject, rules, word.trackers, at)


def _marked(subject: Subject, rules: TrackingRules, word: Marking, at: int) -> Step:
    tracker, mark, silent = word
    if tracker not in rules.trackers_of(subject.kind):
        return subject, []
    if mark.inactive or subject.marks:
        subject = inactivity.silenced(subject, rules, dict(silent), at)
    if mark.inactive:
        return inactivity.mark_inactive(subject, rules, tracker, at, mark.timeout_ms)
    return inactivity.mark_active(subject, rules, tracker, at)


def _wanted(word: SubjectOverridden) -> Override | None:
    wanted = Override(word.timeout_ms, word.trackers, word.exempt)
    return None if wanted == Override() and not word.kept else wanted


def refusal(word: SubjectOverridden, rules: TrackingRules) -> Answer | None:
    """Refuse an override that names a tracker nobody configured: it would silently never expire."""
    unknown = [
        label for label in word.trackers or () if label not in rules.trackers_of(SubjectKind(word.kind))
    ]
    if not unknown:
        return None
    return Answer(word.request_id, "invalid", f"no tracker is called {unknown[0]!r}", "trackers")


def told(guild_id: int, before: Subject, after: Subject, edges: Iterable[Transition]) -> list[Effect]:
    """Return what is to be written and told after a subject's step."""
    kind, subject_id = after.kind, after.subject_id
    saved: list[Effect] = [] if after == before else [SaveSubject(guild_id, after)]
    return saved + [
        TellListeners(guild_id, kind, subject_id, it.what, it.at, it.state, it.deadline, it.tracker, it.cause)
        for it in edges
    ]
