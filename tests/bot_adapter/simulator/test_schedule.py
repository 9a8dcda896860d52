"""Scheduled events in the world: their lives, what is told of them, and to whom."""

from functools import partial

import pytest

from bot_adapter.simulator.entities import EntityType, ScheduledStatus
from bot_adapter.simulator.schedule import EVENTS_MAX, FinishedError, FormError, TooManyError
from bot_adapter.simulator.structure import WorldError
from engine.domain.ids import created_at

EVENTS = 1 << 16
INTENTS = 1 | 128 | EVENTS
CREATE, UPDATE, DELETE = (f"GUILD_SCHEDULED_EVENT_{it}" for it in ("CREATE", "UPDATE", "DELETE"))


@pytest.fixture
def heard(world, guild):
    """What listeners hear after the guild was made: (name, data)."""
    heard: list[tuple[str, dict]] = []
    world.listeners.append(lambda it: heard.append((it.name, it.data)))
    return heard


@pytest.fixture
def study(world, guild, ids):
    """Make a scheduled event in a voice channel; other fields by name."""

    def study(**fields):
        usual = {"channel_id": ids["Study"]} | fields
        return world.create_scheduled_event(guild.guild_id, "Study night", **usual)

    return study


def statuses(heard) -> list[tuple[str, int]]:
    return [(name, data["status"]) for name, data in heard if name.startswith("GUILD_SCHEDULED")]


def test_an_event_is_told_in_discords_shape(world, guild, ids, heard):
    before = world.clock()
    starts_at = before + 3_600_000
    event = world.create_scheduled_event(guild.guild_id, "Study night", ids["Study"], starts_at)
    [(name, data)] = heard
    assert name == CREATE
    assert data == {
        "id": str(event.event_id),
        "guild_id": str(guild.guild_id),
        "channel_id": str(ids["Study"]),
        "creator_id": str(world.bot.user_id),
        "name": "Study night",
        "description": None,
        "image": None,
        "scheduled_start_time": data["scheduled_start_time"],
        "scheduled_end_time": None,
        "privacy_level": 2,
        "status": 1,
        "entity_type": 2,
        "entity_id": None,
        "entity_metadata": None,
        "recurrence_rule": None,
    }
    assert data["scheduled_start_time"].endswith("+00:00")
    assert before <= created_at(event.event_id) <= world.clock()


def test_external_events_have_a_place_and_an_end_instead_of_a_channel(world, guild, heard):
    starts_at = world.clock()
    world.create_scheduled_event(guild.guild_id, "Picnic", None, starts_at, starts_at + 1, 3, location="Park")
    [(_, data)] = heard
    assert (data["channel_id"], data["entity_metadata"]) == (None, {"location": "Park"})
    assert data["scheduled_end_time"] > data["scheduled_start_time"]


@pytest.mark.parametrize("last", ["complete", "cancel"])
def test_a_finished_event_is_told_once_more_and_leaves_the_list(world, guild, heard, study, last):
    key = guild.guild_id, study().event_id
    if last == "complete":
        world.start_scheduled_event(*key)
        world.complete_scheduled_event(*key)
        assert statuses(heard) == [(CREATE, 1), (UPDATE, 2), (UPDATE, 3)]
    else:
        world.cancel_scheduled_event(*key)
        assert statuses(heard) == [(CREATE, 1), (UPDATE, 4)]
    assert guild.scheduled_events == {}
    with pytest.raises(FinishedError):
        world.change_scheduled_event(*key, name="Again")
    with pytest.raises(FinishedError):
        world.delete_scheduled_event(*key)


@pytest.mark.parametrize("started", [True, False])
def test_a_deleted_event_is_told_with_the_status_that_it_had(world, guild, heard, study, started):
    key = guild.guild_id, study().event_id
    if started:
        world.start_scheduled_event(*key)
    world.delete_scheduled_event(*key)
    assert statuses(heard)[-1] == (DELETE, 2 if started else 1)
    with pytest.raises(WorldError, match="unknown scheduled event"):
        world.start_scheduled_event(*key)


TRANSITIONS = {(1, 2), (2, 3), (1, 4)}


@pytest.mark.parametrize("before", [1, 2])
@pytest.mark.parametrize("after", [1, 2, 3, 4, 9])
def test_only_discords_transitions_are_taken(world, heard, study, before, after):
    event = study()
    key = event.guild_id, event.event_id
    if before == 2:
        world.start_scheduled_event(*key)
    heard.clear()
    if (before, after) in TRANSITIONS or before == after:
        assert world.change_scheduled_event(*key, status=after).status == after
    else:
        with pytest.raises(FormError, match="status"):
            world.change_scheduled_event(*key, status=after)
        assert heard == []
        assert world.scheduled_event(*key).status == before


def test_to_start_twice_is_no_transition(world, guild, study):
    key = guild.guild_id, study().event_id
    world.start_scheduled_event(*key)
    with pytest.raises(FormError):
        world.start_scheduled_event(*key)


def test_an_event_changes_its_name_times_and_place(world, guild, ids, study):
    event = study()
    key = guild.guild_id, event.event_id
    starts_at, ends_at = event.starts_at + 1000, event.starts_at + 5000
    world.change_scheduled_event(*key, name="Long night", starts_at_ms=starts_at)
    world.change_scheduled_event(*key, ends_at_ms=ends_at, channel_id=ids["Stage"], entity_type=1)
    changed = guild.scheduled_events[event.event_id]
    assert (changed.name, changed.starts_at, changed.ends_at) == ("Long night", starts_at, ends_at)
    assert (changed.channel_id, changed.entity_type) == (ids["Stage"], EntityType.STAGE_INSTANCE)
    world.change_scheduled_event(*key, channel_id=None, entity_type=3, location="Park")
    assert guild.scheduled_events[event.event_id].location == "Park"
    world.change_scheduled_event(*key, channel_id=ids["Study"], entity_type=2)
    assert guild.scheduled_events[event.event_id].location is None


def test_the_start_of_an_active_event_stays(world, guild, study):
    event = study()
    world.start_scheduled_event(guild.guild_id, event.event_id)
    with pytest.raises(FormError, match="scheduled_start_time"):
        world.change_scheduled_event(guild.guild_id, event.event_id, starts_at_ms=event.starts_at + 1)
    world.change_scheduled_event(guild.guild_id, event.event_id, ends_at_ms=event.starts_at + 1)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"channel_id": None}, "entity_type.channel_id"),
        ({"channel_id": 5}, "channel_id"),
        ({"channel_id": "chat"}, "channel_id"),
        ({"channel_id": "Stage"}, "channel_id"),
        ({"entity_type": 1}, "channel_id"),
        ({"entity_type": 3, "location": "Park", "ends_at_ms": 9 << 40}, "entity_type.channel_id"),
        ({"entity_type": 3, "channel_id": None, "ends_at_ms": 9 << 40}, "entity_type.location"),
        ({"entity_type": 3, "channel_id": None, "location": "Park"}, "scheduled_end_time"),
        ({"ends_at_ms": 1}, "scheduled_end_time"),
        ({"description": "x" * 1001}, "description"),
    ],
)
def test_an_unsound_event_is_refused_and_changes_nothing(world, ids, study, fields, path):
    if isinstance(fields.get("channel_id"), str):
        fields = fields | {"channel_id": ids[fields["channel_id"]]}
    event = study()
    heard = []
    world.listeners.append(heard.append)
    for attempt in (study, partial(world.change_scheduled_event, event.guild_id, event.event_id)):
        with pytest.raises(FormError) as refused:
            attempt(**fields)
        assert refused.value.path == path
    assert heard == []
    assert world.guild(event.guild_id).scheduled_events == {event.event_id: event}


def test_what_is_no_event_at_all_is_refused(world, guild, ids, heard):
    for impossible in (
        lambda: world.create_scheduled_event(guild.guild_id, "", ids["Study"]),
        lambda: world.create_scheduled_event(guild.guild_id, "x" * 101, ids["Study"]),
        lambda: world.create_scheduled_event(guild.guild_id, "x", ids["Study"], entity_type=7),
        lambda: world.create_scheduled_event(guild.guild_id, "x", ids["Study"], 9 << 60),
        lambda: world.create_scheduled_event(5, "x", ids["Study"]),
        lambda: world.change_scheduled_event(guild.guild_id, 5, name="x"),
        lambda: world.change_scheduled_event(guild.guild_id, 5, colour="red"),
    ):
        with pytest.raises((ValueError, OverflowError)):
            impossible()
    assert heard == []
    assert guild.scheduled_events == {}


def test_a_guild_has_a_hundred_events_at_most(world, guild, study):
    for _ in range(EVENTS_MAX):
        event = study()
    with pytest.raises(TooManyError):
        study()
    world.cancel_scheduled_event(guild.guild_id, event.event_id)
    study()


def test_a_channels_events_go_with_it_and_nobody_is_told(world, guild, ids, heard, study):
    gone, other = study(), study(channel_id=ids["General"])
    heard.clear()
    world.delete_channel(ids["Study"])
    assert [name for name, _ in heard] == ["CHANNEL_DELETE"]
    assert guild.scheduled_events == {other.event_id: other}
    happening = world.truth.happenings[gone.event_id]
    assert happening.deleted_at is not None
    assert world.truth.happenings[other.event_id].deleted_at is None


def test_the_truth_remembers_what_an_event_was_at_which_moment(world, guild, ids, study):
    key = guild.guild_id, study().event_id
    world.change_scheduled_event(*key, channel_id=ids["General"])
    world.start_scheduled_event(*key)
    world.complete_scheduled_event(*key)
    told = world.truth.happenings[key[1]].as_json()
    seen = [(turn["status"], turn["channel_id"]) for turn in told["turns"]]
    general = str(ids["General"])
    assert seen == [(1, str(ids["Study"])), (1, general), (2, general), (3, general)]
    assert [turn["at"] for turn in told["turns"]] == sorted(turn["at"] for turn in told["turns"])


async def test_the_intent_decides_who_hears_of_events(server, connect, world, guild, study):
    before = study()
    with_intent, without = await connect(server), await connect(server)
    await with_intent.identify(intents=INTENTS)
    await without.identify(intents=1 | 128)
    key = guild.guild_id, study().event_id
    world.start_scheduled_event(*key)
    world.delete_scheduled_event(*key)
    world.rename_guild(guild.guild_id, "Port")
    for client in (with_intent, without):
        await client.until("GUILD_UPDATE")
    for name in (CREATE, UPDATE, DELETE):
        assert len(with_intent.dispatches(name)) == 1
        assert without.dispatches(name) == []
    [snapshot] = with_intent.dispatches("GUILD_CREATE")
    assert [it["id"] for it in snapshot["guild_scheduled_events"]] == [str(before.event_id)]
    assert without.dispatches("GUILD_CREATE")[0]["guild_scheduled_events"] == []


async def test_a_snapshot_holds_what_is_scheduled_or_active_only(client, world, guild, study):
    scheduled, active, finished, deleted = [study().event_id for _ in range(4)]
    for event_id in (active, finished):
        world.start_scheduled_event(guild.guild_id, event_id)
    world.complete_scheduled_event(guild.guild_id, finished)
    world.delete_scheduled_event(guild.guild_id, deleted)
    await client.identify(intents=INTENTS)
    snapshot = (await client.until("GUILD_CREATE"))["d"]
    seen = {it["id"]: it["status"] for it in snapshot["guild_scheduled_events"]}
    assert seen == {str(scheduled): ScheduledStatus.SCHEDULED, str(active): ScheduledStatus.ACTIVE}


async def test_a_resume_brings_what_became_of_events_meanwhile(server, connect, world, guild, study):
    client = await connect(server)
    ready = await client.identify(intents=INTENTS)
    await client.until("GUILD_CREATE")
    server.gateway.drop()
    await client.close_code()
    key = guild.guild_id, study().event_id
    world.start_scheduled_event(*key)
    world.complete_scheduled_event(*key)
    again = await connect(server)
    await again.resume(ready["session_id"], client.seq)
    await again.until("RESUMED")
    replayed = [(it["t"], it["d"].get("status")) for it in again.seen if it["op"] == 0]
    assert replayed == [(CREATE, 1), (UPDATE, 2), (UPDATE, 3), ("RESUMED", None)]


async def test_an_outage_hides_events_until_the_next_snapshot(client, world, guild, study):
    await client.identify(intents=INTENTS)
    await client.until("GUILD_CREATE")
    world.set_unavailable(guild.guild_id)
    event = study()
    world.set_available(guild.guild_id)
    snapshot = (await client.until("GUILD_CREATE"))["d"]
    assert [it["id"] for it in snapshot["guild_scheduled_events"]] == [str(event.event_id)]
    assert client.dispatches(CREATE) == []
