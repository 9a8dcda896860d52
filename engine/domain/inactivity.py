"""The rules of inactivity: trackers' marks come to a deadline, and the deadline to an end (seed 000).

Deadlines are anchored: a tracker's is ``since + timeout``, and marking again neither restarts nor extends it.
Everything happens at its own moment: a deadline that passed before an entry is taken before that entry.
"""

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from engine.domain.rules import TrackingRules
from engine.domain.tracker_effects import TransitionKind
from engine.domain.tracking import Decision, Mark, Override, Subject, SubjectState

ACTIVE, SUSPECTED, INACTIVE, EXPIRING, EXPIRED = SubjectState


class Transition(Struct, frozen=True, gc=False):
    """An edge that listeners are told of; ``state`` and ``deadline`` as they are right after it."""

    what: TransitionKind
    at: int
    state: SubjectState
    deadline: int | None = None
    tracker: str | None = None
    cause: str = ""


Step = tuple[Subject, list[Transition]]


def mark_inactive(subject: Subject, rules: TrackingRules, tracker: str, mark: Mark) -> Step:
    """Let a tracker hold a subject inactive. Marked again, only its timeout may change."""
    held = subject.marks.get(tracker)
    if held is not None:
        mark = replace(mark, since=held.since)
        return _reckoned(replace(subject, marks=subject.marks | {tracker: mark}), rules), []
    first = not subject.marks
    after = _reckoned(replace(subject, marks=subject.marks | {tracker: mark}), rules)
    cause = f"{tracker} reports inactive"
    edges = [_edge(TransitionKind.TRACKED, mark.since, after, tracker, cause)] if first else []
    return after, [*edges, _edge(TransitionKind.TRACKER_INACTIVE, mark.since, after, tracker, cause)]


def mark_active(subject: Subject, rules: TrackingRules, tracker: str, at: int) -> Step:
    """Let a tracker give a subject free. One that did not hold it changes nothing."""
    if tracker not in subject.marks:
        return subject, []
    marks = {label: mark for label, mark in subject.marks.items() if label != tracker}
    after = replace(subject, marks=marks)
    after = _reckoned(after, rules) if marks else _freed(after)
    cause = f"{tracker} reports active"
    edges = [_edge(TransitionKind.TRACKER_ACTIVE, at, after, tracker, cause)]
    return after, edges if marks else [*edges, _edge(TransitionKind.ACTIVE, at, after, tracker, cause)]


def pass_time(subject: Subject, rules: TrackingRules, now: int) -> Step:
    """Take all that is due by ``now``, each at its own time: the deadline, then the end of the asking."""
    edges: list[Transition] = []
    while (due_at := next_at(subject, rules)) is not None and due_at <= now:
        subject, edge = _due(subject, rules, due_at)
        edges.append(edge)
    return subject, edges


def next_at(subject: Subject, rules: TrackingRules) -> int | None:
    """Return when ``pass_time`` will next change the subject."""
    if subject.state is INACTIVE:
        return subject.deadline
    if subject.state is EXPIRING and subject.asked_at is not None:
        return subject.asked_at + rules.ask_within_ms
    return None


def decide(subject: Subject, rules: TrackingRules, decision: Decision, postpone_ms: int, at: int) -> Step:
    """Take the listeners' decision about a passed deadline; one that comes too late changes nothing."""
    if subject.state is not EXPIRING or subject.deadline is None:
        return subject, []
    if decision is Decision.POSTPONE:
        # From the decision on: a deadline that has passed cannot be moved to a time that has passed too.
        moved_ms = subject.postponed_ms + (at - subject.deadline) + postpone_ms
        waiting = replace(subject, state=INACTIVE, asked_at=None, postponed_ms=moved_ms)
        return _reckoned(waiting, rules), []
    if decision is Decision.IGNORE:
        return _reckoned(replace(subject, state=INACTIVE, asked_at=None, ignored=True), rules), []
    return _expired(subject, at, "decided by a listener")


def override(subject: Subject, rules: TrackingRules, wanted: Override | None) -> Step:
    """Change what is different for one subject. What it stands at follows from its marks anew."""
    if subject.override == wanted:
        return subject, []
    return _reckoned(replace(subject, override=wanted), rules), []


def keep_only(subject: Subject, rules: TrackingRules, trackers: tuple[str, ...], at: int) -> Step:
    """Drop the marks of trackers that run no more."""
    edges: list[Transition] = []
    for tracker in [label for label in subject.marks if label not in trackers]:
        subject, more = mark_active(subject, rules, tracker, at)
        edges += [replace(it, cause=f"{tracker} runs no more") for it in more]
    return subject, edges


def why(subject: Subject, rules: TrackingRules) -> str:
    """Say in words why a subject stands where it does."""
    if not subject.marks:
        return "no tracker holds it inactive"
    wanted = override_of(subject, rules)
    if wanted is not None and wanted.exempt:
        return "exempt"
    if subject.ignored:
        return "a listener chose to ignore it until it is active again"
    held = ", ".join(sorted(counted(subject, rules)))
    if subject.state is SUSPECTED:
        missing = ", ".join(sorted(set(_needed(subject, rules)) - counted(subject, rules).keys()))
        return f"held inactive by {held or 'none that count'}, not by {missing or 'any that counts'}"
    return f"held inactive by {held}"


def override_of(subject: Subject, rules: TrackingRules) -> Override | None:
    """Return a subject's override: that of run time, else the configuration's."""
    return subject.override or rules.overrides.get(subject.subject_id)


def counted(subject: Subject, rules: TrackingRules) -> dict[str, Mark]:
    """Return the marks that count for a subject."""
    needed = _needed(subject, rules)
    return {label: mark for label, mark in subject.marks.items() if label in needed}


def _needed(subject: Subject, rules: TrackingRules) -> tuple[str, ...]:
    wanted = override_of(subject, rules)
    only = None if wanted is None else wanted.trackers
    return rules.trackers if only is None else only


def _reckoned(subject: Subject, rules: TrackingRules) -> Subject:
    """Return a subject as its marks have it: an expired one stays so until all of them are gone."""
    if subject.state in (EXPIRED, EXPIRING):
        return subject
    marks = counted(subject, rules)
    met = bool(marks) and (not rules.mode_all or len(marks) == len(set(_needed(subject, rules))))
    if not met:
        return replace(subject, state=SUSPECTED, deadline=None)
    wanted = override_of(subject, rules)
    if subject.ignored or (wanted is not None and wanted.exempt):
        return replace(subject, state=INACTIVE, deadline=None)
    return replace(
        subject, state=INACTIVE, deadline=_combined(list(_deadlines(marks, subject, rules)), rules)
    )


def _deadlines(marks: dict[str, Mark], subject: Subject, rules: TrackingRules) -> Iterator[int]:
    """Yield each tracker's deadline. If all must agree, it counts from when the last one did."""
    wanted = override_of(subject, rules)
    anchor = max(mark.since for mark in marks.values()) if rules.mode_all else None
    for mark in marks.values():
        timeout_ms = mark.timeout_ms
        if wanted is not None and wanted.timeout_ms is not None:
            timeout_ms = wanted.timeout_ms
        since = mark.since if anchor is None else anchor
        yield since + (rules.default_timeout_ms if timeout_ms is None else timeout_ms) + subject.postponed_ms


def _combined(deadlines: list[int], rules: TrackingRules) -> int:
    if rules.combine == "lowest":
        return min(deadlines)
    return max(deadlines) if rules.combine == "highest" else sum(deadlines) // len(deadlines)


def _freed(subject: Subject) -> Subject:
    return Subject(subject.kind, subject.subject_id, override=subject.override)


def _due(subject: Subject, rules: TrackingRules, at: int) -> tuple[Subject, Transition]:
    if subject.state is INACTIVE and rules.ask:
        asking = replace(subject, state=EXPIRING, asked_at=at)
        return asking, _edge(TransitionKind.EXPIRING, at, asking, None, "its deadline has passed")
    cause = "its deadline has passed" if subject.state is INACTIVE else "nobody decided in time"
    after, (edge,) = _expired(subject, at, cause)
    return after, edge


def _expired(subject: Subject, at: int, cause: str) -> Step:
    after = replace(subject, state=EXPIRED, asked_at=None)
    return after, [_edge(TransitionKind.INACTIVE, at, after, None, cause)]


def _edge(what: TransitionKind, at: int, after: Subject, tracker: str | None, cause: str) -> Transition:
    return Transition(what, at, after.state, after.deadline, tracker, cause)
