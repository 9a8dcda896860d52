"""Discord's scheduled events, from the simulator through the real client into the journal."""

import pytest

from bot_adapter.simulator.sessions import frame
from engine.domain.event_inputs import (
    EntityType,
    ScheduledEvent,
    ScheduledEventChanged,
    ScheduledEventGone,
    ScheduledStatus,
)

STARTS_AT, ENDS_AT = 1_900_000_000_123, 1_900_003_600_000
NEWS = (ScheduledEventChanged, ScheduledEventGone)


@pytest.fixture
def announce(place):
    """Create an event in the first room, or elsewhere, and return its id."""

    def create(name="Regatta", **more):
        fields = {"channel_id": place.rooms[0], "starts_at_ms": STARTS_AT, "ends_at_ms": ENDS_AT} | more
        return place.world.create_scheduled_event(place.guild_id, name, **fields).event_id

    return create


@pytest.fixture
def elsewhere():
    return {"channel_id": None, "entity_type": EntityType.EXTERNAL, "location": "the old mill"}


async def test_a_snapshot_carries_the_guilds_events_and_nothing_else_tells_of_them(
    place, announce, elsewhere, start_ingest, journal
):
    held, to_come = announce(), announce("Ball", channel_id=place.rooms[1], ends_at_ms=None)
    announce("Fair", **elsewhere)
    place.world.start_scheduled_event(place.guild_id, held)
    ingest, _ = await start_ingest()
    (snapshot,) = await journal.until(lambda: journal.snapshots)
    assert set(snapshot.scheduled_events) == {
        ScheduledEvent(held, place.rooms[0], "Regatta", ScheduledStatus.ACTIVE, STARTS_AT, ENDS_AT),
        ScheduledEvent(to_come, place.rooms[1], "Ball", ScheduledStatus.SCHEDULED, STARTS_AT),
    }
    assert not journal.of(NEWS)
    assert not ingest.counters.malformed


async def test_a_guild_without_events_says_so(ingest, journal):
    assert journal.snapshots[0].scheduled_events == ()


async def test_an_events_whole_life_is_told_in_order(place, announce, ingest, journal):
    world, guild_id = place.world, place.guild_id
    event_id = announce()
    later = STARTS_AT + 60_000
    world.change_scheduled_event(guild_id, event_id, name="Race", starts_at_ms=later, ends_at_ms=None)
    world.change_scheduled_event(guild_id, event_id, channel_id=place.rooms[1])
    world.start_scheduled_event(guild_id, event_id)
    world.complete_scheduled_event(guild_id, event_id)
    told = await journal.until(lambda: len(found := journal.of(NEWS)) == 5 and found)
    pier, deck = place.rooms
    assert [it.event for it in told] == [
        ScheduledEvent(event_id, pier, "Regatta", ScheduledStatus.SCHEDULED, STARTS_AT, ENDS_AT),
        ScheduledEvent(event_id, pier, "Race", ScheduledStatus.SCHEDULED, later),
        ScheduledEvent(event_id, deck, "Race", ScheduledStatus.SCHEDULED, later),
        ScheduledEvent(event_id, deck, "Race", ScheduledStatus.ACTIVE, later),
        ScheduledEvent(event_id, deck, "Race", ScheduledStatus.COMPLETED, later),
    ]
    assert {it.guild_id for it in told} == {guild_id}
    assert all(it.replayed_from is None for it in told)
    assert [it.at for it in told] == sorted(it.at for it in told)
    assert not ingest.counters.malformed


async def test_an_event_on_a_stage_is_told(place, announce, ingest, journal):
    stage = place.world.create_channel(place.guild_id, "Theatre", kind=13)
    announce("Play", channel_id=stage.channel_id, entity_type=EntityType.STAGE_INSTANCE)
    (told,) = await journal.until(lambda: journal.of(NEWS))
    assert told.event.channel_id == stage.channel_id


async def test_a_cancelled_event_is_told_and_a_deleted_one_is_gone(place, announce, ingest, journal):
    cancelled, deleted = announce(), announce("Ball")
    place.world.cancel_scheduled_event(place.guild_id, cancelled)
    place.world.start_scheduled_event(place.guild_id, deleted)
    place.world.delete_scheduled_event(place.guild_id, deleted)
    gone = await journal.until(lambda: journal.of(ScheduledEventGone))
    assert [(it.guild_id, it.event_id) for it in gone] == [(place.guild_id, deleted)]
    told = [it for it in journal.of(ScheduledEventChanged) if it.event_id == cancelled]
    assert told[-1].event.status == ScheduledStatus.CANCELED


async def test_an_event_that_moves_elsewhere_is_gone_and_may_come_back(
    place, announce, elsewhere, ingest, journal
):
    event_id = announce()
    world, guild_id = place.world, place.guild_id
    world.change_scheduled_event(guild_id, event_id, **elsewhere)
    world.change_scheduled_event(
        guild_id, event_id, channel_id=place.rooms[1], entity_type=EntityType.VOICE, location=None
    )
    told = await journal.until(lambda: len(found := journal.of(NEWS)) == 3 and found)
    assert [type(it) for it in told] == [ScheduledEventChanged, ScheduledEventGone, ScheduledEventChanged]
    assert {it.event_id for it in told} == {event_id}


async def test_an_event_that_was_always_elsewhere_is_not_told(place, announce, elsewhere, ingest, journal):
    announce("Fair", **elsewhere)
    announce("Regatta")
    (told,) = await journal.until(lambda: journal.of(NEWS))
    assert told.event.name == "Regatta"
    assert not ingest.counters.malformed


async def test_what_a_resume_replays_of_events_carries_the_moment_of_the_loss(
    server, place, announce, ingest, journal
):
    known = announce()
    await journal.until(lambda: journal.of(NEWS))
    server.faults.refuse_gateway(0.3)  # so that all happens while nobody listens
    server.gateway.drop()
    await journal.until(lambda: not journal.last_beat[0].connected)
    place.world.start_scheduled_event(place.guild_id, known)
    place.world.delete_scheduled_event(place.guild_id, announce("Ball"))
    await journal.until(lambda: ingest.counters.resumes == 1)
    _, started, created, deleted = await journal.until(lambda: len(it := journal.of(NEWS)) == 4 and it)
    assert started.event.status == ScheduledStatus.ACTIVE
    assert created.event_id == deleted.event_id
    assert isinstance(deleted, ScheduledEventGone)
    lost_at = started.replayed_from
    assert lost_at is not None
    assert lost_at <= started.at
    assert created.replayed_from == deleted.replayed_from == lost_at
    assert len(journal.snapshots) == 1


async def test_the_snapshot_of_another_connection_tells_what_was_missed(
    server, place, announce, ingest, journal
):
    gone, started = announce(), announce("Ball")
    place.world.start_scheduled_event(place.guild_id, gone)
    await journal.until(lambda: len(journal.of(NEWS)) == 3)
    server.faults.refuse_resumes()
    server.gateway.drop()
    place.world.complete_scheduled_event(place.guild_id, gone)
    place.world.start_scheduled_event(place.guild_id, started)
    snapshot = (await journal.until(lambda: len(journal.snapshots) == 2 and journal.snapshots))[1]
    assert [(it.event_id, it.status) for it in snapshot.scheduled_events] == [
        (started, ScheduledStatus.ACTIVE)
    ]


@pytest.mark.parametrize(
    "data", ['{"id":"5"}', '{"id":"5","guild_id":"1","channel_id":"2","entity_type":2,"status":9}', "[]"]
)
async def test_a_malformed_event_is_counted_and_the_rest_goes_on(server, announce, ingest, journal, data):
    server.gateway.send_raw(frame("GUILD_SCHEDULED_EVENT_UPDATE", 1, data.encode()).decode())
    announce()
    assert await journal.until(lambda: journal.of(NEWS))
    assert ingest.counters.malformed == {"GUILD_SCHEDULED_EVENT_UPDATE": 1}
    assert ingest.counters.reconnects == 0
