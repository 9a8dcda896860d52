"""The community: lively, seeded, and true to its truth."""

import asyncio
import signal
import sys
from collections import Counter

import aiohttp
import pytest

from bot_adapter.simulator.cast import HUB
from bot_adapter.simulator.community import Community, Habits
from bot_adapter.simulator.entities import EntityType, ScheduledStatus
from bot_adapter.simulator.world import World
from engine.domain.ids import created_at
from engine.domain.inputs import VoiceFlags

EPOCH_MS = 1_700_000_000_000


class Play:
    """A community whose clock is turned by hand: an act each half second."""

    def __init__(self, since: float = 0.0, **habits) -> None:
        self.now = since
        self.world = World(seed=habits.get("seed", 5), clock=lambda: EPOCH_MS + int(self.now * 1000))
        self.heard: list[tuple[float, str, dict]] = []
        self.world.listeners.append(lambda it: self.heard.append((self.now, it.name, it.data)))
        self.community = Community(self.world, Habits(**habits), clock=lambda: self.now)

    def run(self, acts: int) -> "Play":
        for _ in range(acts):
            for _ in range(5):
                self.now = round(self.now + 0.1, 3)
                self.community.follow_up(self.now)
            self.community.act()
        return self

    def presences(self) -> list[dict]:
        return [it.as_json() for it in self.world.truth.presences]


@pytest.fixture(scope="module")
def play() -> Play:
    return Play(guilds=3, members=40, seed=2).run(4000)


def test_the_same_seed_plays_the_same_play():
    once, twice, other = [Play(seed=seed).run(300).presences() for seed in (1, 1, 2)]
    assert once == twice
    assert once != other


def test_the_next_life_of_a_seed_has_the_same_places_and_people_and_shares_nothing_else():
    once, again, other = [
        Play(seed=seed, since=since).run(300) for seed, since in ((5, 0.0), (5, 86_400.0), (6, 0.0))
    ]
    assert standing(once) == standing(again)
    assert not standing(once) & standing(other)
    assert not passing(once) & passing(again)


def standing(play) -> set[int]:
    """Return the ids of the guilds, of their people and of the channels that they were founded with."""
    guilds = play.world.guilds.values()
    channels = {it for guild in guilds for it in guild.channels if created_at(it) < EPOCH_MS}
    return channels.union(*([guild.guild_id, *guild.members] for guild in guilds))


def passing(play) -> set[int | str]:
    """Return the ids of voice sessions, scheduled events and rooms that came and went."""
    made = [int(data["id"]) for _, name, data in play.heard if name == "CHANNEL_CREATE"]
    voice = [it.gateway_session_id for it in play.world.truth.presences]
    assert made
    return {*made, *voice, *play.world.truth.happenings}


def test_people_are_there_at_once():
    assert len(Play(members=40).world.truth.lasting()) > 10


def test_everything_happens_that_the_daemon_must_understand(play):
    names = Counter(name for _, name, _ in play.heard)
    assert names["CHANNEL_CREATE"] > 20
    assert names["CHANNEL_DELETE"] > 20
    seen = {flags for it in play.world.truth.presences for _, flags in it.spans}
    for flag in (VoiceFlags.SELF_DEAF, VoiceFlags.SELF_MUTE, VoiceFlags.MUTE, VoiceFlags.SUPPRESS):
        assert any(flags & flag for flags in seen)
    bots = [it for it in play.world.truth.presences if it.bot]
    assert bots
    afk = {it.afk_channel_id for it in play.world.guilds.values()}
    assert any(it.channel_id in afk for it in play.world.truth.presences)
    short = [it for it in play.world.truth.presences if it.left_at and it.left_at - it.joined_at < 1000]
    assert short


def test_the_hub_opens_a_room_within_a_second_and_moves_its_guest_there(play):
    hubs = {
        it.channel_id
        for guild in play.world.guilds.values()
        for it in guild.channels.values()
        if it.name == HUB
    }
    by_session = {}
    rooms = 0
    for it in play.world.truth.presences:
        before = by_session.get(it.gateway_session_id)
        if before is not None and before.channel_id in hubs and before.left_at == it.joined_at:
            rooms += it.joined_at - before.joined_at < 1000
        by_session[it.gateway_session_id] = it
    assert rooms > 20


def test_empty_rooms_do_not_pile_up(play):
    rooms = [
        it for guild in play.world.guilds.values() for it in guild.channels.values() if "room" in it.name
    ]
    assert len(rooms) < 20 + 3


def test_now_and_then_most_of_a_guild_gather_for_a_scheduled_event(play):
    held = [it for it in play.world.truth.happenings.values() if it.turns[-1][1].status.finished]
    completed = [it for it in held if it.turns[-1][1].status is ScheduledStatus.COMPLETED]
    assert len(completed) > 8
    assert len(held) > len(completed), "some are canceled"
    assert {it.turns[0][1].entity_type for it in held} == {EntityType.VOICE, EntityType.STAGE_INSTANCE}
    came = [attendance(play.world, it) for it in completed]
    assert sum(came) / len(came) > 0.5


def attendance(world, happening) -> float:
    """Return which share of a guild's people was in an event's channel while it was active."""
    (_, _), (begun, event), (ended, _) = happening.turns
    came = {
        it.user_id
        for it in world.truth.presences
        if it.channel_id == event.channel_id and not it.bot and it.joined_at < ended
        if it.left_at is None or it.left_at > begun
    }
    people = [it for it in world.guild(happening.guild_id).members.values() if not it.user.bot]
    return len(came) / len(people)


def test_an_event_is_announced_ahead_and_begins_about_when_it_should(play):
    for it in play.world.truth.happenings.values():
        (announced, event), *later = it.turns
        assert event.starts_at - announced > 10_000
        begun = [at for at, turn in later if turn.status is ScheduledStatus.ACTIVE]
        assert all(abs(at - event.starts_at) < 1000 for at in begun)


@pytest.mark.parametrize("seed", range(5))
def test_a_newcomer_sees_an_event_within_a_minute(seed):
    play = Play(seed=seed).run(120)
    turns = [turn for it in play.world.truth.happenings.values() for turn in it.turns]
    active = [at - EPOCH_MS for at, event in turns if event.status is ScheduledStatus.ACTIVE]
    assert active
    assert active[0] < 60_000


def test_a_faster_life_has_more_events():
    usual, fast = [Play(actions_per_s=rate).run(300).world.truth.happenings for rate in (2.0, 20.0)]
    assert len(fast) > 4 * len(usual) > 0


def test_the_same_seed_holds_the_same_events():
    once, twice, other = [
        [it.as_json()["turns"] for it in Play(seed=seed).run(300).world.truth.happenings.values()]
        for seed in (1, 1, 2)
    ]
    assert once == twice
    assert once != other


def test_truth_never_overlaps_and_never_runs_backwards(play):
    last: dict[tuple[int, int], int | None] = {}
    for it in play.world.truth.presences:
        key = it.guild_id, it.user_id
        assert key not in last or last[key] is not None
        assert it.joined_at >= (last.get(key) or 0)
        assert it.left_at is None or it.left_at >= it.joined_at
        assert [at for at, _ in it.spans] == sorted(at for at, _ in it.spans)
        last[key] = it.left_at


def test_nobody_is_in_two_guilds_at_once(play):
    users = [it.user_id for it in play.world.truth.lasting()]
    assert len(users) == len(set(users))


def test_it_tolerates_others_who_act_on_its_world():
    play = Play()
    for guild_id in list(play.world.guilds):
        play.run(20)
        for user_id in list(play.world.guild(guild_id).voice):
            play.world.leave(guild_id, user_id)
        play.run(20)
        play.world.remove_guild(guild_id)
    play.run(20)
    assert play.world.truth.lasting() == []


async def test_the_demo_serves_until_it_is_told_to_stop(tmp_path, eventually):
    address = tmp_path / "address"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot_adapter.simulator", "--actions-per-s", "200"),
        *("--address-file", str(address)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await eventually(address.exists)
        url = address.read_text().strip()
        async with aiohttp.ClientSession() as http:
            first, later = [], []
            while len(later) < len(first) + 20 or not first:
                async with http.get(url + "/sim/truth") as response:
                    later = (await response.json())["presences"]
                first = first or later
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0
        assert address.read_text().strip() == url  # for the next life
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_port_that_is_taken_ends_the_demo_with_one_line(server):
    port = server.base_url.rpartition(":")[2]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot_adapter.simulator", "--port", port),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 1
    assert output.count(b"\n") == 1
    assert b"simulator.port" in output
