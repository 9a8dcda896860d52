"""An event whose sessions are gone cannot be scored again: its result stands. Times are days."""

import pytest
from msgspec.structs import replace

from engine.domain.event_inputs import (
    CancelEvent,
    ChangeEvent,
    CreateEvent,
    EventFields,
    RescoreEvent,
    ScheduledEvent,
    ScheduledEventChanged,
    StopEvent,
)
from engine.domain.event_step import EventState, Time, plan
from engine.domain.events import Event, EventStatus
from engine.domain.rules import DAY_MS, Kept, Rules

GUILD, EVENT_ID, ROOM = 1 << 22, 900, 7
NOW = 100 * DAY_MS
RULES = Rules(retention_ms=30 * DAY_MS)
SCHEDULED, ACTIVE, ENDED, CANCELLED = EventStatus


def event(began, status=ENDED, *, settled=True):
    """Return an event that began that day, and took a day if it is over."""
    ended_at = None if status in (SCHEDULED, ACTIVE) else (began + 1) * DAY_MS
    started_at = None if status is SCHEDULED else began * DAY_MS
    return Event(
        EVENT_ID, GUILD, "watch", (ROOM,), status,
        started_at=started_at, ended_at=ended_at, settled=settled and ended_at is not None,
    )  # fmt: skip


def answer(before, what, rules=RULES):
    planned = plan(EventState(before), [(what, NOW), (Time({}), NOW)], rules)
    (told,) = planned.answers
    if told.code != "ok":
        assert planned.event == before
        assert not planned.read
    return told.code, told.field, told.message


def change(**fields):
    return ChangeEvent(NOW, GUILD, EVENT_ID, EventFields(**fields), "asked")


RESCORE = RescoreEvent(NOW, GUILD, EVENT_ID, "asked")
GONE = ("conflict", None, "its sessions were removed after 30 days")
TOO_FAR = ("invalid", "startsAt", "must not lie so far back: sessions are removed after 30 days")
FINE = ("ok", None, "")


@pytest.mark.parametrize("what", [RESCORE, change(name="another"), change(min_share=0.5)])
@pytest.mark.parametrize("status", [ENDED, CANCELLED])
@pytest.mark.parametrize(("began", "told"), [(69, GONE), (70, FINE)])
def test_an_event_that_began_before_what_is_kept_is_not_scored_again(what, status, began, told):
    if status is CANCELLED and what is not RESCORE:
        told = ("conflict", None, "the event was cancelled")
    assert answer(event(began, status), what) == told


@pytest.mark.parametrize("status", [ACTIVE, ENDED])
@pytest.mark.parametrize("what", [RESCORE, change(min_share=0.5), change(starts_at=10 * DAY_MS)])
def test_of_an_event_that_is_not_settled_all_sessions_are_kept(status, what):
    assert answer(event(10, status, settled=False), what) == FINE


@pytest.mark.parametrize("before", [event(80), event(80, ACTIVE), event(10, ACTIVE)])
def test_no_event_is_moved_to_where_nothing_is_kept(before):
    assert answer(before, change(starts_at=9 * DAY_MS)) == TOO_FAR
    assert answer(before, change(starts_at=80 * DAY_MS)) == FINE


@pytest.mark.parametrize(("starts_at", "told"), [(69, TOO_FAR), (70, FINE), (101, FINE), (None, FINE)])
def test_none_is_made_or_planned_there_either(starts_at, told):
    starts_at = None if starts_at is None else starts_at * DAY_MS
    fields = EventFields("watch", (ROOM,), starts_at)
    assert answer(None, CreateEvent(NOW, GUILD, EVENT_ID, fields, "api", "asked")) == told
    assert answer(event(0, SCHEDULED), change(starts_at=starts_at)) == told


def test_where_all_is_kept_everything_can_be_scored():
    assert answer(event(1), RESCORE, Rules()) == FINE
    assert Rules().kept(NOW) == Kept(0, 0)


@pytest.mark.parametrize(
    "what", [StopEvent(NOW, GUILD, EVENT_ID, "a"), CancelEvent(NOW, GUILD, EVENT_ID, "b")]
)
def test_a_long_event_ends_as_any_other(what):
    assert answer(event(10, ACTIVE), what) == FINE


def test_what_discord_tells_is_taken():
    told = ScheduledEvent(5, ROOM, "another", 2, 0)
    before = replace(event(10, ACTIVE), source="discord", discord_event_id=5, event_id=5)
    planned = plan(EventState(before), [(ScheduledEventChanged(NOW, GUILD, told), NOW)], RULES)
    assert planned.event.name == "another"
