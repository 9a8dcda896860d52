"""What trackers see: who is in voice, which players there are, which events are held; and what changes."""

import asyncio
import gc

import pytest

from engine.domain.events import Policy
from engine.domain.tracker_inputs import PlayerReported
from engine.domain.tracking import PlayerState
from engine.trackers import EventRegistry, Member, Player, PlayerRegistry, VoiceView
from tests.trackers.stage import CHANNEL, DEAF, EVENT, GUILD, MUTED, OTHER_CHANNEL, OWN, T


@pytest.fixture
def voice(stage):
    return VoiceView(stage)


@pytest.fixture
def players(stage):
    return PlayerRegistry(stage, stage, stage.now)


@pytest.fixture
def events(stage):
    return EventRegistry(stage)


def next_of(changes):
    return asyncio.wait_for(anext(changes), 20)


async def stays_quiet(changes):
    """Say that nothing more comes, once the loop has taken all there is."""
    waiting = asyncio.ensure_future(anext(changes))
    for _ in range(100):
        await asyncio.sleep(0)
    came = waiting.done()
    waiting.cancel()
    return not came


def test_members_are_those_of_the_channel(voice, stage):
    stage.join(1, flags=DEAF | MUTED, roles=(7, 8))
    stage.join(2, channel_id=OTHER_CHANNEL)
    stage.bot_joins(3, flags=MUTED)
    assert voice.members(GUILD, CHANNEL) == [
        Member(1, bot=False, deafened=True, muted=True, roles=(7, 8)),
        Member(3, bot=True, deafened=False, muted=True, roles=()),
    ]
    assert voice.members(GUILD, 12345) == []
    assert voice.members(12345, CHANNEL) == []


def test_the_bot_itself_is_no_member(voice, stage):
    stage.play()
    stage.join(OWN)  # where bots have sessions
    assert voice.members(GUILD, CHANNEL) == []


def test_a_bot_that_has_a_session_is_one_member_and_a_bot(voice, stage):
    stage.join(3)
    stage.bot_joins(3)
    assert voice.members(GUILD, CHANNEL) == [Member(3, bot=True, deafened=False, muted=False, roles=())]


def test_anybodys_channel_is_known_the_bots_own_too(voice, stage):
    stage.join(1)
    stage.bot_joins(3, channel_id=OTHER_CHANNEL)
    stage.play(channel_id=7)
    assert [voice.channel_of(GUILD, it) for it in (1, 2, 3, OWN)] == [CHANNEL, None, OTHER_CHANNEL, 7]
    assert voice.channel_of(12345, 1) is None
    stage.unplay()
    assert voice.channel_of(GUILD, OWN) is None


def test_players_are_those_that_are_in_voice(players, stage):
    stage.play(1)
    stage.play(2, channel_id=7, state=PlayerState.PAUSED, since=T + 5, paused_by_us=True)
    stage.join(9, guild_id=3)
    assert list(players) == [
        Player(1, CHANNEL, PlayerState.PLAYING, paused_by_us=False, since=T),
        Player(2, 7, PlayerState.PAUSED, paused_by_us=True, since=T + 5),
    ]
    assert players.get(2).channel_id == 7
    assert players.get(3) is None
    assert players.get(12345) is None


def test_whoever_plays_reports_the_players_state(players, stage):
    players.report(GUILD, PlayerState.PAUSED)
    assert stage.inputs == [PlayerReported(T, GUILD, PlayerState.PAUSED)]
    with pytest.raises(ValueError, match="7"):
        players.report(GUILD, 7)


def test_events_are_those_that_are_held(events, stage):
    stage.hold()
    stage.hold(EVENT + 1, channel_ids=(1, 2))
    assert [(it.event_id, it.guild_id, it.channel_ids) for it in events] == [
        (EVENT, GUILD, (CHANNEL,)),
        (EVENT + 1, GUILD, (1, 2)),
    ]
    assert events.get(EVENT).name == "evening"
    stage.end()
    assert events.get(EVENT) is None


@pytest.mark.parametrize(
    ("who", "counted"),
    [
        ({}, 1),
        ({"flags": DEAF}, 0),
        ({"flags": MUTED}, 0),
        ({"roles": (8,)}, 0),
        ({"channel_id": OTHER_CHANNEL}, 0),
    ],
)
def test_an_event_counts_by_its_own_rules(events, stage, who, counted):
    stage.hold(required_role_ids=(7,), policy=Policy(count_muted=False))
    stage.join(1, **({"roles": (7,)} | who))
    assert events.counted(events.get(EVENT)) == counted


def test_an_event_counts_no_bots(events, stage):
    stage.hold()
    stage.play()
    for user_id in (3, OWN):
        stage.join(user_id)
        stage.bot_joins(user_id)
    assert events.counted(events.get(EVENT)) == 0
    stage.hold(EVENT + 1, guild_id=12345)
    assert events.counted(events.get(EVENT + 1)) == 0


async def test_changes_begin_with_what_there_is_to_look_at(voice, players, stage):
    stage.play(1)
    stage.hold(guild_id=2)
    stage.join(9, guild_id=3)
    changes = voice.changes()
    assert {await next_of(changes), await next_of(changes)} == {1, 2}
    assert await stays_quiet(changes)
    changes = players.changes()
    assert await next_of(changes) == 1
    assert await stays_quiet(changes)


@pytest.mark.parametrize("kind", ["voice", "players"])
async def test_who_comes_during_the_first_look_is_not_missed(kind, voice, players, stage, monkeypatch):
    look = stage.players

    def look_and_miss():
        found = look()
        stage.play(7)
        return found

    monkeypatch.setattr(stage, "players", look_and_miss)
    assert await next_of({"voice": voice, "players": players}[kind].changes()) == 7


async def test_each_change_of_voice_comes(voice, stage):
    changes = voice.changes()
    for change in (
        lambda: stage.join(1),
        lambda: stage.join(1, flags=DEAF),
        lambda: stage.join(1, channel_id=OTHER_CHANNEL),
        lambda: stage.bot_joins(3),
        stage.play,
        lambda: stage.play(channel_id=OTHER_CHANNEL),
        stage.unplay,
        lambda: stage.leave(1),
        lambda: stage.change(bots={}),
    ):
        change()
        assert await next_of(changes) == GUILD
        assert await stays_quiet(changes)


async def test_what_is_no_change_of_voice_does_not_come(voice, stage):
    stage.play()
    stage.join(1)
    changes = voice.changes()
    await next_of(changes)
    stage.change(name="another name")
    stage.change(confirmed_at=T)
    stage.play(state=PlayerState.PAUSED)
    stage.change(guild_id=12345)
    assert await stays_quiet(changes)


async def test_a_mark_that_is_set_or_taken_comes_and_one_set_again_does_not(voice, players, context, stage):
    """So whoever decided by what was older than its mark looks again; nobody wakes another for ever."""
    stage.play()
    for changes in (voice.changes(), players.changes()):
        await next_of(changes)
        with context.scope() as scope:
            scope.mark_inactive(GUILD)
        assert await next_of(changes) == GUILD
        with context.scope() as scope:
            scope.mark_inactive(GUILD, timeout_s=9)
        assert await stays_quiet(changes)
        with context.scope() as scope:
            scope.mark_active(GUILD)
        assert await next_of(changes) == GUILD
        assert await stays_quiet(changes)


async def test_changes_of_one_guild_come_together_and_the_latest_is_seen(voice, stage):
    changes = voice.changes()
    for user_id in range(1, 101):
        stage.join(user_id)
        stage.join(user_id, guild_id=11)
    assert await next_of(changes) == GUILD
    assert len(voice.members(GUILD, CHANNEL)) == 100
    assert await next_of(changes) == 11
    assert await stays_quiet(changes)


async def test_no_more_changes_wait_than_there_are_guilds(voice, stage):
    changes = voice.changes()
    for round_ in range(50):
        for guild_id in range(1, 21):
            stage.join(round_, guild_id=guild_id)
    assert len(changes._pending) == 20


async def test_changes_that_come_from_another_thread_are_not_missed(voice, stage):
    changes = voice.changes()
    seen = 0

    async def follow():
        nonlocal seen
        async for guild_id in changes:
            seen = len(voice.members(guild_id, CHANNEL))
            if seen == 2_000:
                return

    def join_all():
        for user_id in range(1_000, 3_000):
            stage.join(user_id)

    await asyncio.wait_for(asyncio.gather(follow(), asyncio.to_thread(join_all)), 20)
    assert seen == 2_000


async def test_a_flood_of_changes_leaves_others_of_the_loop_their_turn(voice, stage):
    changes, turns = voice.changes(), 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for user_id in range(1_000):
        stage.join(user_id)
        await next_of_without_waiting(changes)
    task.cancel()
    assert turns >= 10


async def next_of_without_waiting(changes):
    return await anext(changes)


async def test_changes_end_when_they_are_closed(voice, stage):
    changes = voice.changes()
    waiting = asyncio.create_task(anext(changes))
    await asyncio.sleep(0)
    changes.close()
    with pytest.raises(StopAsyncIteration):
        await waiting
    assert stage.subscribers == 0


async def test_changes_that_nobody_follows_any_more_end_by_themselves(voice, stage):
    changes = voice.changes()
    assert stage.subscribers == 1
    del changes
    gc.collect()
    assert stage.subscribers == 0


def test_changes_of_a_loop_that_is_closed_end_at_the_next_change(voice, stage):
    async def leave_open():
        return voice.changes()

    kept = asyncio.run(leave_open())
    assert stage.subscribers == 1
    stage.join(1)
    assert stage.subscribers == 0
    assert kept._end is None


async def test_a_player_that_comes_goes_or_changes_comes(players, stage):
    changes = players.changes()
    for change in (
        stage.play,
        lambda: stage.play(state=PlayerState.IDLE),
        lambda: stage.play(channel_id=OTHER_CHANNEL),
        stage.unplay,
    ):
        change()
        assert await next_of(changes) == GUILD
        assert await stays_quiet(changes)
    stage.join(1)
    assert await stays_quiet(changes)


async def test_a_callback_is_called_for_each_change_one_by_one(voice, stage):
    seen, within, enough = [], 0, asyncio.Event()

    async def changed(guild_id):
        nonlocal within
        within += 1
        assert within == 1
        await asyncio.sleep(0)
        within -= 1
        seen.append(guild_id)
        if len(seen) == 2:
            enough.set()

    end = voice.subscribe(changed)
    stage.join(1, guild_id=1)
    stage.join(1, guild_id=2)
    await asyncio.wait_for(enough.wait(), 20)
    end()
    stage.join(1, guild_id=3)
    for _ in range(20):
        await asyncio.sleep(0)
    assert seen == [1, 2]
    assert stage.subscribers == 0


async def test_a_callback_may_end_its_own_subscription(voice, stage):
    seen, called = [], asyncio.Event()

    def changed(guild_id):
        seen.append(guild_id)
        called.set()
        end()

    end = voice.subscribe(changed)
    stage.join(1, guild_id=1)
    stage.join(1, guild_id=2)
    await asyncio.wait_for(called.wait(), 20)
    for _ in range(20):
        await asyncio.sleep(0)
    assert seen == [1]
