"""What is read of events, guilds and channels: filters hold, pages miss and repeat nothing."""

from contextlib import closing
from datetime import UTC, datetime
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.domain.effects import DropChannel, SaveChannel, SaveGuild
from engine.domain.event_effects import SaveEvent
from engine.domain.event_views import EVENT_STATUS_NAMES, event_json
from engine.domain.events import Event, EventStatus
from engine.storage.ledger import SqlLedger
from engine.storage.queries import EventFilter, InvalidCursor, SqlReads
from tests.storage.ledgers import CHANNEL, EVENT, FULL, GUILD, T, Writer
from tests.storage.pages import all_pages

SCHEDULED, ACTIVE, ENDED, CANCELLED = EventStatus
OTHER_GUILD = 2 << 22


def ids(rows):
    return [int(row["eventId"]) for row in rows]


@pytest.mark.parametrize("event", [EVENT, FULL])
def test_an_event_reads_as_the_contract_says(write, reads, event):
    write(SaveEvent(event))
    assert reads.event(event.event_id) == event_json(event)
    assert reads.events(EventFilter()).items == [event_json(event)]


def test_an_unknown_event_is_none(write, reads):
    assert reads.event(1) is None


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [906, 905, 904, 903, 902, 901]),
        ({"guild_id": GUILD}, [905, 904, 903, 902, 901]),
        ({"channel_id": 71}, [906, 903]),
        ({"guild_id": GUILD, "channel_id": 71}, [903]),
        ({"channel_id": 7}, []),  # beginning of an id, not the id
        ({"status": "scheduled"}, [902]),
        ({"status": "active"}, [906, 901]),
        ({"status": "ended"}, [903]),
        ({"status": "cancelled"}, [905, 904]),
        ({"since": T + 30}, [906, 905, 902, 901]),  # 903 ended at that very moment
        ({"until": T + 10}, [905, 904]),  # 901 began at that very moment
        ({"since": T + 29, "until": T + 21}, [906, 905, 903, 901]),
    ],
)
def test_filters_all_hold(write, reads, wanted, found):
    times = {"started_at": T + 10, "ends_at": None, "created_at": T}
    active = replace(EVENT, event_id=901, **times)
    write(
        SaveEvent(active),
        SaveEvent(replace(EVENT, event_id=902, status=SCHEDULED, started_at=None, starts_at=T + 99)),
        SaveEvent(replace(active, event_id=903, status=ENDED, ended_at=T + 30, channel_ids=(CHANNEL, 71))),
        SaveEvent(replace(active, event_id=904, status=CANCELLED, started_at=None, updated_at=T + 5)),
        SaveEvent(replace(active, event_id=905, status=CANCELLED, started_at=None, ends_at=T + 50)),
        SaveEvent(replace(active, event_id=906, guild_id=OTHER_GUILD, channel_ids=(71,), ends_at=T + 15)),
    )
    assert ids(reads.events(EventFilter(**wanted)).items) == found


moments = st.none() | st.integers(T, T + 9)
events = st.builds(
    Event,
    event_id=st.integers(1, 2**63 - 1),
    guild_id=st.sampled_from((GUILD, OTHER_GUILD)),
    name=st.just("Watch"),
    channel_ids=st.lists(st.sampled_from((70, 71, 72)), unique=True, max_size=3).map(tuple),
    status=st.sampled_from(EventStatus),
    starts_at=moments,
    ends_at=moments,
    started_at=moments,
    ended_at=moments,
    created_at=st.integers(T, T + 9),
    updated_at=st.integers(T, T + 9),
)
filters = st.builds(
    EventFilter,
    guild_id=st.sampled_from((None, GUILD, OTHER_GUILD)),
    channel_id=st.sampled_from((None, None, 70, 71)),
    status=st.sampled_from((None, None, *EVENT_STATUS_NAMES.values())),
    since=moments,
    until=moments,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    known=st.lists(events, max_size=12, unique_by=lambda it: it.event_id),
    wanted=filters,
    limit=st.integers(1, 4),
)
def test_pages_miss_and_repeat_nothing_of_what_the_filter_lets_through(files, known, wanted, limit):
    path = files()
    with closing(SqlLedger(path, 0)) as ledger:
        Writer(ledger).write(*map(SaveEvent, known))
    found = all_pages(partial(SqlReads(path).events, wanted), limit)
    expected = sorted((it for it in known if is_wanted(it, wanted)), key=lambda it: -it.event_id)
    assert found == [event_json(it) for it in expected]


def is_wanted(event, wanted):
    begins_at = next(it for it in (event.started_at, event.starts_at, event.created_at) if it is not None)
    return (
        wanted.guild_id in (None, event.guild_id)
        and (wanted.channel_id is None or wanted.channel_id in event.channel_ids)
        and wanted.status in (None, EVENT_STATUS_NAMES[event.status])
        and (wanted.until is None or begins_at < wanted.until)
        and (wanted.since is None or end_of(event) > wanted.since)
    )


def end_of(event):
    """One that has ended tells when; one that is held goes on; another has a plan, or was called off."""
    if event.ended_at is not None:
        return event.ended_at
    if event.status in (SCHEDULED, CANCELLED) and event.ends_at is not None:
        return event.ends_at
    return event.updated_at if event.status is CANCELLED else float("inf")


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "٣", str(2**63), "forgotten-3", "1" * 5_000])
def test_what_is_no_id_is_no_cursor(write, reads, cursor):
    with pytest.raises(InvalidCursor):
        reads.events(EventFilter(), cursor=cursor)


def test_a_filter_is_read_as_people_write_it():
    moment = datetime(2023, 11, 14, 22, 13, 20, 1_000, tzinfo=UTC)
    wanted = EventFilter.written({"guild_id": "5", "channel_id": None}, moment, None, "active")
    assert wanted == EventFilter(guild_id=5, since=T + 1, status="active")


def test_active_events_are_found_by_guild_and_by_channel(write, reads):
    write(
        SaveEvent(replace(EVENT, event_id=902, channel_ids=(CHANNEL, 71))),
        SaveEvent(replace(EVENT, event_id=901)),
        SaveEvent(replace(EVENT, event_id=903, status=ENDED, ended_at=T + 5)),
        SaveEvent(replace(EVENT, event_id=904, status=SCHEDULED, started_at=None)),
        SaveEvent(replace(EVENT, event_id=905, guild_id=OTHER_GUILD)),
    )
    assert ids(reads.active_events(GUILD)) == [901, 902]
    assert ids(reads.active_events(GUILD, CHANNEL)) == [901, 902]
    assert ids(reads.active_events(GUILD, 71)) == [902]
    assert reads.active_events(GUILD, 72) == []
    assert ids(reads.active_events(OTHER_GUILD)) == [905]


def test_guilds_and_channels_are_those_that_are_there(write, reads):
    write(
        SaveGuild(OTHER_GUILD, "There", None, "c", T, None, True, 3, T),
        SaveGuild(GUILD, "Here", None, "c", T, None, True, 3, T),
        SaveGuild(3 << 22, "Lost", None, "c", T, T, False, 3, T),
        SaveChannel(GUILD, 72, "Hall", 13),
        SaveChannel(GUILD, CHANNEL, "Lounge", 2),
        SaveChannel(GUILD, 73, "Gone", 2),
        DropChannel(GUILD, 73, T + 5),
    )
    assert reads.guilds() == [
        {"guildId": str(GUILD), "name": "Here"},
        {"guildId": str(OTHER_GUILD), "name": "There"},
    ]
    assert reads.channels(GUILD) == [
        {"channelId": "70", "guildId": str(GUILD), "name": "Lounge", "kind": "voice"},
        {"channelId": "72", "guildId": str(GUILD), "name": "Hall", "kind": "stage"},
    ]
    assert reads.channels(OTHER_GUILD) == []
