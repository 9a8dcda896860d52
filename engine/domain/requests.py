"""What is asked of an event: met, or refused with a reason.

The times of an event that has begun are the window it is scored in: who changes them moves the window.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from msgspec import UNSET, structs
from msgspec.structs import replace

from engine.domain import scheduled
from engine.domain.event_effects import Answer, AnswerCode
from engine.domain.event_inputs import (
    CancelEvent,
    ChangeEvent,
    CreateEvent,
    EventFields,
    EventInput,
    RescoreEvent,
    ScheduledEventChanged,
    ScheduledEventGone,
    StartEvent,
    StopEvent,
)
from engine.domain.events import Event, EventStatus
from engine.domain.lifecycle import begun, cancelled, ended, touched
from engine.domain.rules import EventRules, Kept

SCHEDULED, ACTIVE, ENDED, CANCELLED = EventStatus
_ALL = Kept()


class Refused(Exception):  # noqa: N818 - an answer, not an error
    """A request that cannot be met; ``answer`` says why."""

    def __init__(self, code: AnswerCode, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code, self.field = code, field


class Decision(NamedTuple):
    """What a request comes to. ``event``: None where there is none. ``rescore``: a new score."""

    event: Event | None
    answer: Answer | None = None
    rescore: bool = False


def decide(event: Event | None, what: EventInput, rules: EventRules, kept: Kept = _ALL) -> Decision:
    """Meet one request, or take one fact of Discord's. Deadlines must have been taken before (``due``)."""
    request_id: str = getattr(what, "request_id", "")
    try:
        changed = _TABLE[type(what)](event, what, rules)
        if changed is not None and type(what) in (CreateEvent, ChangeEvent, RescoreEvent):
            _check_kept(event, changed, kept)
    except Refused as no:
        return Decision(event, _answer(request_id, no))
    rescore = (
        type(what) in (ChangeEvent, RescoreEvent) and changed is not None and changed.started_at is not None
    )
    return Decision(changed, Answer(request_id) if request_id else None, rescore)


def _check_kept(before: Event | None, event: Event, kept: Kept) -> None:
    """Refuse to score an event whose sessions are gone. Those of an event that is not settled are not."""
    begins_at = event.started_at or event.starts_at
    if begins_at is None or begins_at >= kept.since:
        return
    begun_at = None if before is None else before.started_at
    if begun_at is None or begins_at < begun_at:
        raise Refused(
            "invalid", f"must not lie so far back: sessions are removed after {kept.days} days", "startsAt"
        )
    if before is not None and before.settled:
        raise Refused("conflict", f"its sessions were removed after {kept.days} days")


def _answer(request_id: str, no: Refused) -> Answer | None:
    return Answer(request_id, no.code, str(no), no.field) if request_id else None


def _create(event: Event | None, what: CreateEvent, rules: EventRules) -> Event:
    if event is not None:
        raise Refused("conflict", f"event {what.event_id} exists already")
    blank = Event(
        event_id=what.event_id,
        guild_id=what.guild_id,
        name="",
        channel_ids=(),
        match_all=rules.match_all,
        min_duration_ms=rules.min_duration_ms,
        min_share=rules.min_share,
        policy=rules.policy,
        source=what.source,
        created_at=what.at,
        updated_at=what.at,
    )
    return _checked(_with_fields(blank, what.fields, what.at), what.fields, what.at)


def _change(event: Event | None, what: ChangeEvent, _: EventRules) -> Event:
    event = _known(event, what.event_id)
    if event.status is CANCELLED:
        raise Refused("conflict", "the event was cancelled")
    changed = _checked(_with_fields(event, what.fields, what.at), what.fields, what.at)
    # What is learned of the new window, and whom it makes eligible, comes with the next heartbeat.
    return replace(changed, settled=False) if changed.status is ENDED else changed


def _with_fields(event: Event, fields: EventFields, at: int) -> Event:
    given = {name: value for name, value in structs.asdict(fields).items() if value is not UNSET}
    if "policy" in given:
        wanted = structs.asdict(given["policy"])
        given["policy"] = replace(
            event.policy, **{name: it for name, it in wanted.items() if it is not UNSET}
        )
    if event.started_at is not None and given.get("starts_at") is not None:
        given["started_at"] = given["starts_at"]
    if event.ended_at is not None and given.get("ends_at") is not None:
        given["ended_at"] = given["ends_at"]
    return touched(event, at, **given)


def _checked(event: Event, fields: EventFields, at: int) -> Event:
    """Refuse what cannot be: no channel, an end before the beginning, a past that lies ahead.

    Times that the request leaves alone are as they are, however early it was made.
    """
    if not event.channel_ids:
        raise Refused("invalid", "names no channel", "voiceChannelIds")
    begins_at, ends_at = event.started_at or event.starts_at, event.ended_at or event.ends_at
    moves_start, moves_end = isinstance(fields.starts_at, int), isinstance(fields.ends_at, int)
    if begins_at is not None and ends_at is not None and ends_at <= begins_at:
        if moves_end:
            raise Refused("invalid", "must lie after the event's beginning", "endsAt")
        if moves_start:
            raise Refused("invalid", "must lie before the event's end", "startsAt")
    if moves_start and event.started_at is not None and event.started_at > at:
        raise Refused("invalid", "must not lie ahead: the event has begun", "startsAt")
    if moves_end and event.ended_at is not None and event.ended_at > at:
        raise Refused("invalid", "must not lie ahead: the event has ended", "endsAt")
    return event


def _start(event: Event | None, what: StartEvent, _: EventRules) -> Event:
    event = _known(event, what.event_id)
    if event.status is not SCHEDULED:
        raise Refused("conflict", f"the event {_SPOKEN[event.status]}: only a scheduled one can start")
    return begun(event, what.at)


def _stop(event: Event | None, what: StopEvent, _: EventRules) -> Event:
    event = _known(event, what.event_id)
    if event.status is not ACTIVE:
        raise Refused("conflict", f"the event {_SPOKEN[event.status]}: only an active one can stop")
    return ended(event, what.at)


def _cancel(event: Event | None, what: CancelEvent, _: EventRules) -> Event:
    event = _known(event, what.event_id)
    if not event.is_open:
        raise Refused(
            "conflict", f"the event {_SPOKEN[event.status]}: only a scheduled or active one can be cancelled"
        )
    return cancelled(event, what.at)


def _rescore(event: Event | None, what: RescoreEvent, _: EventRules) -> Event:
    event = _known(event, what.event_id)
    if event.started_at is None:
        raise Refused("conflict", f"the event {_SPOKEN[event.status]}: there is nothing to score")
    return replace(event, settled=False) if event.status is ENDED else event


def _known(event: Event | None, event_id: int) -> Event:
    if event is None:
        raise Refused("not_found", f"no event has the id {event_id}")
    return event


_SPOKEN = {SCHEDULED: "has not started", ACTIVE: "is active", ENDED: "has ended", CANCELLED: "was cancelled"}

_TABLE: dict[type, Callable[[Event | None, Any, EventRules], Event | None]] = {
    CreateEvent: _create,
    ChangeEvent: _change,
    StartEvent: _start,
    StopEvent: _stop,
    CancelEvent: _cancel,
    RescoreEvent: _rescore,
    ScheduledEventChanged: scheduled.changed,
    ScheduledEventGone: scheduled.gone,
}
