"""The rules of inactivity: trackers' marks come to a deadline, and the deadline to an end (seed 000).

Deadlines are anchored: a tracker's is ``since + timeout``, and marking again neither restarts nor extends it.
Everything happens at its own moment: a deadline that passed before an entry is taken before that entry.

Where all trackers must agree, one that does not run (dead, blocked) has no vote: else nothing would ever
expire, for want of a word that cannot come. Nor does anything end with it: the others' word then counts from
that moment, so whoever relied on it has the whole timeout, and once it is back its vote is awaited
again. With nobody left who runs, nothing expires.
"""

from msgspec import Struct
from msgspec.structs import replace

from engine.domain.rules import TrackingRules
from engine.domain.tracker_effects import TransitionKind
from engine.domain.tracking import Decision, Mark, Override, Subject, SubjectState

ACTIVE, SUSPECTED, INACTIVE, EXPIRING, EXPIRED = SubjectState
# The last moment that ISO 8601 writes: a deadline beyond it can wait until then.
LATEST = 253_402_300_799_999


class Transition(Struct, frozen=True, gc=False):
    """An edge that listeners are told of; ``state`` and ``deadline`` as they are right after it."""

    what: TransitionKind
    at: int
    state: SubjectState
    deadline: int | None = None
    tracker: str | None = None
    cause: str = ""


Step = tuple[Subject, list[Transition]]


def in_order(subject: Subject, at: int) -> int:
    """Return the moment at which a late entry takes effect: its own, but nothing of a subject goes back."""
    moments = [mark.since for mark in subject.marks.values()]
    if subject.asked_at is not None:
        moments.append(subject.asked_at)
    if subject.state is EXPIRED and subject.deadline is not None:
        moments.append(subject.deadline)
    return max([at, *moments])


def mark_inactive(
    subject: Subject, rules: TrackingRules, tracker: str, at: int, timeout_ms: int | None = None
) -> Step:
    """Let a tracker hold a subject inactive. Marked again, only its timeout may change."""
    held = subject.marks.get(tracker)
    if held is not None and held.timeout_ms == timeout_ms:
        return subject, []
    mark = Mark(at if held is None else held.since, timeout_ms)
    after = _reckoned(replace(subject, marks=subject.marks | {tracker: mark}), rules, at)
    if held is not None:
        return after, []
    cause = f"{tracker} reports inactive"
    edges = [] if subject.marks else [_edge(TransitionKind.TRACKED, at, after, tracker, cause)]
    return after, [*edges, _edge(TransitionKind.TRACKER_INACTIVE, at, after, tracker, cause)]


def mark_active(subject: Subject, rules: TrackingRules, tracker: str, at: int) -> Step:
    """Let a tracker give a subject free. One that did not hold it changes nothing."""
    if tracker not in subject.marks:
        return subject, []
    return _released(subject, rules, tracker, at, f"{tracker} reports active")


def _released(subject: Subject, rules: TrackingRules, tracker: str, at: int, cause: str) -> Step:
    marks = {label: mark for label, mark in subject.marks.items() if label != tracker}
    after = _reckoned(replace(subject, marks=marks), rules, at)
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
    if subject.state is not EXPIRING:
        return subject, []
    if decision is Decision.EXPIRE:
        return _expired(subject, at, "decided by a listener")
    waiting = replace(subject, state=INACTIVE, asked_at=None, ignored=decision is Decision.IGNORE)
    reckoned_at = _deadline(waiting, rules)
    if reckoned_at is not None:
        # From the decision on: a deadline that has passed cannot be moved to a time that has passed too.
        moved_ms = min(at + postpone_ms, LATEST) - reckoned_at
        waiting = replace(waiting, postponed_ms=subject.postponed_ms + moved_ms)
    return _reckoned(waiting, rules, at), []


def override(subject: Subject, rules: TrackingRules, wanted: Override | None, at: int) -> Step:
    """Change what is different for one subject. What it stands at follows from its marks anew."""
    if subject.override == wanted:
        return subject, []
    return _reckoned(replace(subject, override=wanted), rules, at), []


def keep_only(subject: Subject, rules: TrackingRules, trackers: tuple[str, ...], at: int) -> Step:
    """Drop the marks of trackers that run no more, and their votes.

    The rules may be others than those the subject was left with.
    """
    edges: list[Transition] = []
    if subject.marks:
        silent = [label for label in rules.trackers_of(subject.kind) if label not in trackers]
        subject = silenced(subject, rules, dict.fromkeys(silent, at), at)
    for tracker in [label for label in subject.marks if label not in trackers]:
        subject, more = _released(subject, rules, tracker, at, f"{tracker} runs no more")
        edges += more
    return _reckoned(subject, rules, at), edges


def silenced(subject: Subject, rules: TrackingRules, silent: dict[str, int], at: int) -> Subject:
    """Take which trackers do not run, each with since when; where any may speak, nobody's vote is missed."""
    known = rules.trackers_of(subject.kind) if rules.mode_all else ()
    missed = {it: subject.silent.get(it, since) for it, since in silent.items() if it in known}
    if missed == subject.silent:
        return subject
    after = replace(subject, silent=missed)
    return _reckoned(after, rules, at) if subject.marks else after


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
    silent = ", ".join(sorted(subject.silent.keys() & _named(subject, rules)))
    unheard = f"; not asked, as it does not run: {silent}" if silent else ""
    if subject.state is SUSPECTED:
        missing = ", ".join(sorted(set(_needed(subject, rules)) - counted(subject, rules).keys()))
        return f"held inactive by {held or 'none that count'}, not by {missing or 'any that counts'}{unheard}"
    return f"held inactive by {held}{unheard}"


def override_of(subject: Subject, rules: TrackingRules) -> Override | None:
    """Return a subject's override: that of run time, else the configuration's."""
    return subject.override or rules.overrides.get(subject.subject_id)


def counted(subject: Subject, rules: TrackingRules) -> dict[str, Mark]:
    """Return the marks that count for a subject."""
    needed = _needed(subject, rules)
    return {label: mark for label, mark in subject.marks.items() if label in needed}


def agreed_since(subject: Subject, rules: TrackingRules) -> int:
    """Return since when all that are asked agree: the last one's mark, or when the last other fell silent."""
    marks = (counted(subject, rules) or subject.marks).values()
    named = _named(subject, rules)
    return max([*(it.since for it in marks), *(at for label, at in subject.silent.items() if label in named)])


def _needed(subject: Subject, rules: TrackingRules) -> tuple[str, ...]:
    named = _named(subject, rules)
    return tuple(it for it in named if it not in subject.silent) if subject.silent else named


def _named(subject: Subject, rules: TrackingRules) -> tuple[str, ...]:
    wanted = override_of(subject, rules)
    if wanted is None or wanted.trackers is None:
        return rules.trackers_of(subject.kind)
    return tuple(label for label in rules.trackers_of(subject.kind) if label in wanted.trackers)


def _reckoned(subject: Subject, rules: TrackingRules, at: int) -> Subject:
    """Return a subject as its marks have it. An expired one stays so until all of them are gone."""
    if not subject.marks:
        return Subject(subject.kind, subject.subject_id, override=subject.override)
    if subject.state is EXPIRED:
        return subject
    if not _is_met(subject, rules):
        return replace(subject, state=SUSPECTED, deadline=None, asked_at=None)
    deadline = _deadline(subject, rules)
    if subject.state is EXPIRING and deadline is not None and deadline <= at:
        return subject
    # One that comes to lie in the past passes now.
    deadline = None if deadline is None else max(deadline, at)
    return replace(subject, state=INACTIVE, deadline=deadline, asked_at=None)


def _is_met(subject: Subject, rules: TrackingRules) -> bool:
    """Say whether as many trackers hold a subject inactive as the mode asks."""
    held = len(counted(subject, rules))
    return held > 0 and (not rules.mode_all or held == len(set(_needed(subject, rules))))


def _deadline(subject: Subject, rules: TrackingRules) -> int | None:
    """Return the deadline that a subject's marks come to, None if none runs."""
    wanted = override_of(subject, rules)
    if subject.ignored or (wanted is not None and wanted.exempt) or not _is_met(subject, rules):
        return None
    marks = counted(subject, rules).values()
    # If all must agree, each counts from when the last one did.
    anchor = agreed_since(subject, rules) if rules.mode_all else None
    deadlines = [
        (mark.since if anchor is None else anchor) + _timeout_ms(mark, wanted, rules) for mark in marks
    ]
    return min(_combined(deadlines, rules) + subject.postponed_ms, LATEST)


def _timeout_ms(mark: Mark, wanted: Override | None, rules: TrackingRules) -> int:
    if wanted is not None and wanted.timeout_ms is not None:
        return wanted.timeout_ms
    return rules.default_timeout_ms if mark.timeout_ms is None else mark.timeout_ms


def _combined(deadlines: list[int], rules: TrackingRules) -> int:
    if rules.combine == "lowest":
        return min(deadlines)
    return max(deadlines) if rules.combine == "highest" else sum(deadlines) // len(deadlines)


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
