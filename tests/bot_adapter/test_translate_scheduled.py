"""Discord's scheduled events: which of them are told, and what their times are."""

import json

import pytest

from bot_adapter.payloads import Malformed
from bot_adapter.translate import translate
from engine.domain.event_inputs import ScheduledEvent, ScheduledEventChanged, ScheduledEventGone
from tests.bot_adapter.discord_payloads import (
    AT,
    CHANNEL,
    CONTEXT,
    EVENT,
    GUILD,
    STARTS_AT,
    external_event,
    guild_create,
    inputs,
    scheduled_event,
    without,
)

CREATE, UPDATE, DELETE = (f"GUILD_SCHEDULED_EVENT_{it}" for it in ("CREATE", "UPDATE", "DELETE"))
REGATTA = ScheduledEvent(EVENT, CHANNEL, "Regatta", 1, STARTS_AT)
GONE = ScheduledEventGone(AT, GUILD, EVENT, replayed_from=AT - 500)


@pytest.mark.parametrize("event", [CREATE, UPDATE])
@pytest.mark.parametrize("entity_type", [1, 2])
def test_an_event_of_a_stage_or_voice_channel_is_told_as_it_is_now(event, entity_type):
    assert inputs(event, scheduled_event(entity_type=entity_type)) == (
        ScheduledEventChanged(AT, GUILD, REGATTA, replayed_from=AT - 500),
    )


@pytest.mark.parametrize("status", [1, 2, 3, 4])
def test_each_status_is_told(status):
    (changed,) = inputs(UPDATE, scheduled_event(status=status))
    assert changed.event.status == status
    assert type(changed.event.status) is int


def test_a_deleted_event_is_gone_whatever_else_is_told_of_it():
    assert inputs(DELETE, scheduled_event(status=2)) == (GONE,)
    assert inputs(DELETE, {"id": str(EVENT), "guild_id": str(GUILD)}) == (GONE,)


ELSEWHERE = [
    external_event(),
    external_event(channel_id=str(CHANNEL)),
    scheduled_event(channel_id=None),
    scheduled_event(entity_type=4),
]


@pytest.mark.parametrize("payload", ELSEWHERE)
def test_an_event_that_takes_place_elsewhere_is_none_of_ours(payload):
    assert inputs(CREATE, payload) == ()
    (snapshot,) = inputs("GUILD_CREATE", guild_create(guild_scheduled_events=[payload, scheduled_event()]))
    assert snapshot.scheduled_events == (REGATTA,)


@pytest.mark.parametrize("payload", ELSEWHERE)
def test_an_event_that_moves_elsewhere_is_gone(payload):
    assert inputs(UPDATE, payload) == (GONE,)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2023-11-14T23:00:00+00:00", STARTS_AT),
        ("2023-11-14T23:00:00Z", STARTS_AT),
        ("2023-11-15T00:30:00+01:30", STARTS_AT),
        ("2023-11-14T15:00:00-08:00", STARTS_AT),
        ("2023-11-14T23:00:00.123456+00:00", STARTS_AT + 123),
        ("2023-11-14T23:00:00.999999+00:00", STARTS_AT + 999),
        ("2023-11-14T23:00:00.5+00:00", STARTS_AT + 500),
        ("1969-12-31T23:59:59.9999Z", -1),
    ],
)
def test_times_are_read_to_the_millisecond_with_their_offset(text, at):
    (changed,) = inputs(UPDATE, scheduled_event(scheduled_start_time=text, scheduled_end_time=text))
    assert (changed.event.starts_at, changed.event.ends_at) == (at, at)


@pytest.mark.parametrize("payload", [scheduled_event(), without(scheduled_event(), "scheduled_end_time")])
def test_an_event_may_have_no_end(payload):
    (changed,) = inputs(UPDATE, payload)
    assert changed.event.ends_at is None


@pytest.mark.parametrize("payload", [scheduled_event(name=None), without(scheduled_event(), "name")])
def test_an_event_may_have_no_name(payload):
    (changed,) = inputs(UPDATE, payload)
    assert changed.event.name == ""


NO_TIMES = [
    *("", "now", "1700002800", "2023-11-14", "2023-11-14T23:00:00", "2023-11-31T23:00:00Z"),
    *("2023-11-14T25:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *(1_700_002_800, 1.5, [], {}, True),
]


@pytest.mark.parametrize("field", ["scheduled_start_time", "scheduled_end_time"])
@pytest.mark.parametrize("time", NO_TIMES)
@pytest.mark.parametrize("event", [CREATE, UPDATE])
def test_a_malformed_time_names_its_field(event, field, time):
    with pytest.raises(Malformed) as caught:
        inputs(event, scheduled_event(**{field: time}))
    assert (caught.value.event, caught.value.field) == (event, field)


@pytest.mark.parametrize(
    ("event", "payload", "field"),
    [
        (CREATE, without(scheduled_event(), "guild_id"), "guild_id"),
        (CREATE, without(scheduled_event(), "channel_id"), "channel_id"),
        (CREATE, scheduled_event(scheduled_start_time=None), "scheduled_start_time"),
        (UPDATE, without(scheduled_event(), "scheduled_start_time"), "scheduled_start_time"),
        (UPDATE, without(scheduled_event(), "entity_type"), "entity_type"),
        (UPDATE, scheduled_event(status=5), "status"),
        (UPDATE, without(scheduled_event(), "status"), "status"),
        (UPDATE, scheduled_event(name=7), "name"),
        (DELETE, without(scheduled_event(), "guild_id"), "guild_id"),
        (DELETE, scheduled_event(id="regatta"), "id"),
    ],
)
def test_a_malformed_event_names_its_field(event, payload, field):
    with pytest.raises(Malformed) as caught:
        inputs(event, payload)
    assert (caught.value.event, caught.value.field) == (event, field)


@pytest.mark.parametrize(
    "payload",
    [guild_create(guild_scheduled_events=None), without(guild_create(), "guild_scheduled_events")],
)
def test_a_snapshot_that_does_not_list_events_tells_nothing_of_them(payload):
    (snapshot,) = inputs("GUILD_CREATE", payload)
    assert snapshot.scheduled_events is None


def test_a_snapshot_may_list_no_event():
    (snapshot,) = inputs("GUILD_CREATE", guild_create(guild_scheduled_events=[]))
    assert snapshot.scheduled_events == ()


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (scheduled_event(scheduled_start_time="soon"), "scheduled_start_time"),
        (scheduled_event(scheduled_end_time="late"), "scheduled_end_time"),
        (scheduled_event(status=0), "status"),
        (without(scheduled_event(), "id"), "id"),
    ],
)
def test_one_malformed_event_does_not_spoil_a_snapshot_and_no_event_passes_for_gone(payload, field):
    guild = guild_create(guild_scheduled_events=[payload, scheduled_event()])
    translation = translate("GUILD_CREATE", json.dumps(guild).encode(), CONTEXT)
    assert translation.inputs[0].scheduled_events is None
    assert translation.inputs[0].voice_states
    (left_out,) = translation.left_out
    assert (left_out.event, left_out.field) == ("GUILD_CREATE", f"guild_scheduled_events[0].{field}")


@pytest.mark.parametrize(("rule", "recurring"), [(None, False), ({"frequency": 2, "interval": 1}, True)])
def test_an_event_with_a_recurrence_rule_recurs(rule, recurring):
    payload = scheduled_event(recurrence_rule=rule, guild_id="1")
    (told,) = translate("GUILD_SCHEDULED_EVENT_UPDATE", json.dumps(payload).encode(), CONTEXT).inputs
    assert told.event.recurring is recurring
    assert (told.event_id == told.event.event_id) is not recurring
