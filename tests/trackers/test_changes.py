"""What changes in voice and of players comes to whoever follows it, and to nobody else."""

import asyncio
import gc

import pytest

from engine.domain.tracking import PlayerState
from tests.trackers.stage import CHANNEL, DEAF, GUILD, OTHER_CHANNEL, T


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
        await anext(changes)
    task.cancel()
    assert turns >= 10


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
