"""What trackers say of an active event: one that everybody has left ends when they did (seed 000)."""

from engine.domain import inactivity, lifecycle, subjects
from engine.domain.effects import Effect
from engine.domain.event_effects import Answer
from engine.domain.events import Event, EventStatus
from engine.domain.inactivity import Step, agreed_since, counted
from engine.domain.lifecycle import ended, touched
from engine.domain.rules import TrackingRules
from engine.domain.subjects import Word
from engine.domain.tracker_effects import DropSubject
from engine.domain.tracker_inputs import EventMarked, ExpiryDecided, SubjectOverridden, TrackersKnown
from engine.domain.tracking import Subject, SubjectKind, SubjectState

TrackerWord = EventMarked | SubjectOverridden | ExpiryDecided | TrackersKnown


class Trackers:
    """What trackers say of an event while one share works on it, and what comes of that.

    An event has a subject only while it is active; ``subject`` is None before anything was said of it.
    """

    def __init__(self, subject: Subject | None, rules: TrackingRules) -> None:
        self.subject = subject
        self._rules = rules
        self._effects: list[Effect] = []

    def done(self) -> tuple[Effect, ...]:
        """Return what has come of it."""
        return tuple(self._effects)

    def pass_time(self, event: Event | None, now: int) -> Event | None:
        """Let time pass up to ``now``, each deadline at its own time; the event's own goes first."""
        self._let_go(event)
        if event is not None and self.subject is not None:
            ends_at = lifecycle.deadline(event)
            until = now if ends_at is None else min(now, ends_at - 1)
            event = self._become(event, inactivity.pass_time(self.subject, self._rules, until))
        event = lifecycle.due(event, now)
        self._let_go(event)
        return event

    def _let_go(self, event: Event | None) -> None:
        """Forget what was said of an event that is active no more."""
        if self.subject is None or event is None or event.status is EventStatus.ACTIVE:
            return
        self._effects.append(DropSubject(event.guild_id, SubjectKind.EVENT, event.event_id))
        self.subject = None

    def take(self, event: Event | None, word: TrackerWord) -> Event | None:
        """Take a word on an event; time must have passed before. One that is not active is not looked at."""
        if isinstance(word, SubjectOverridden):
            refused = self._refusal(event, word)
            if word.request_id:
                self._effects.append(refused or Answer(word.request_id))
            if refused is not None:
                return event
        if event is None or event.status is not EventStatus.ACTIVE:
            return event
        subject = self.subject or Subject(SubjectKind.EVENT, event.event_id)
        at = inactivity.in_order(subject, max(word.at, event.started_at or 0))
        return self._become(event, subjects.take(subject, self._rules, _as_told(word), at))

    def _refusal(self, event: Event | None, word: SubjectOverridden) -> Answer | None:
        if event is None:
            return Answer(word.request_id, "not_found", f"no event has the id {word.event_id}")
        if event.status is not EventStatus.ACTIVE:
            return Answer(word.request_id, "conflict", "the event is not active")
        return subjects.refusal(word, self._rules)

    def _become(self, event: Event, step: Step) -> Event:
        """Keep a subject as it is now. One that has expired ends its event when it was abandoned."""
        after, edges = step
        before = self.subject or Subject(SubjectKind.EVENT, event.event_id)
        if after == before:
            return event
        self.subject = after
        self._effects += subjects.told(event.guild_id, before, after, edges)
        if after.state is not SubjectState.EXPIRED:
            return event
        return touched(ended(event, abandoned_at(after, self._rules)), edges[-1].at)


def _as_told(word: TrackerWord) -> Word:
    return (word.tracker, word, word.silent) if isinstance(word, EventMarked) else word


def abandoned_at(subject: Subject, rules: TrackingRules) -> int:
    """Return since when a subject has been as inactive as the mode asks."""
    if rules.mode_all:
        return agreed_since(subject, rules)
    return min(mark.since for mark in (counted(subject, rules) or subject.marks).values())
