"""Scopes of one tracker take turns: one is open at a time, and one that is forgotten lets the next in."""

import asyncio
import gc
import threading

import pytest
from structlog.testing import capture_logs

from engine.trackers import ScopeAlreadyActive, TrackerContext
from tests.trackers.stage import GUILD


def test_a_second_block_within_the_first_raises_and_the_first_commits(context, stage):
    with context.scope() as outer:
        outer.mark_inactive(1)
        with pytest.raises(ScopeAlreadyActive), context.scope():
            pytest.fail("two scopes of one tracker were open")
        outer.mark_inactive(2)
    assert [mark[1] for mark in stage.marks] == [1, 2]


def test_another_thread_cannot_open_a_second_scope_either(context):
    raised = []

    def enter():
        try:
            with context.scope():
                pass
        except ScopeAlreadyActive as error:
            raised.append(error)

    with context.scope():
        other = threading.Thread(target=enter)
        other.start()
        other.join()
    assert raised


def test_scopes_of_two_trackers_do_not_know_of_each_other(stage):
    one, two = (TrackerContext(label, stage, stage, stage.now) for label in ("one", "two"))
    with one.scope() as first, two.scope() as second:
        first.mark_inactive(GUILD)
        second.mark_active(GUILD)
    assert stage.marks == [("two", GUILD, False, None), ("one", GUILD, True, None)]


async def test_async_blocks_wait_for_their_turn_in_order(context, stage):
    entered = []

    async def mark(guild_id):
        async with context.scope() as it:
            entered.append(guild_id)
            it.mark_inactive(guild_id)
            await asyncio.sleep(0)

    first = context.scope()
    await first.__aenter__()
    tasks = [asyncio.create_task(mark(guild_id)) for guild_id in (1, 2, 3)]
    await asyncio.sleep(0)
    assert entered == []
    await first.__aexit__(None, None, None)
    await asyncio.gather(*tasks)
    assert entered == [1, 2, 3]
    assert [mark[1] for mark in stage.marks] == [1, 2, 3]


async def test_an_async_block_waits_for_a_scope_of_another_thread(context, stage):
    opened, leave = threading.Event(), threading.Event()

    def hold():
        with context.scope() as it:
            it.mark_inactive(1)
            opened.set()
            assert leave.wait(20)

    holding = asyncio.create_task(asyncio.to_thread(hold))
    await asyncio.to_thread(opened.wait, 20)

    async def mark():
        async with context.scope() as it:
            it.mark_inactive(2)

    waiting = asyncio.create_task(mark())
    await asyncio.sleep(0)
    assert stage.commits == []
    leave.set()
    await asyncio.gather(holding, waiting)
    assert [mark[1] for mark in stage.marks] == [1, 2]


async def test_a_task_that_would_wait_for_itself_is_told(context):
    async with context.scope():
        with pytest.raises(ScopeAlreadyActive, match="wait for ever"):
            async with context.scope():
                pass


async def test_one_that_waits_and_is_cancelled_does_not_keep_the_next_from_its_turn(context):
    first = context.scope()
    await first.__aenter__()

    async def mark():
        async with context.scope():
            pass

    given_up, next_one = asyncio.create_task(mark()), asyncio.create_task(mark())
    await asyncio.sleep(0)
    await first.__aexit__(None, None, None)  # its turn is called, and in the same moment
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    await asyncio.wait_for(next_one, 20)


async def test_one_that_waits_in_a_loop_that_is_closed_is_passed_over(context):
    with context.scope():

        async def wait():
            waiting = context.scope()
            task = asyncio.create_task(waiting.__aenter__())
            await asyncio.sleep(0)
            return task

        def elsewhere():
            loop = asyncio.new_event_loop()
            task = loop.run_until_complete(wait())
            loop.close()
            task._log_destroy_pending = False
            return task

        kept = await asyncio.to_thread(elsewhere)
    with context.scope():
        assert not kept.done()


def test_a_scope_that_is_dropped_commits_nothing_warns_and_lets_the_next_in(context, stage):
    kept = [context.scope().__enter__()]
    kept[0].mark_inactive(GUILD)
    with capture_logs() as logs, pytest.warns(ResourceWarning, match="own was never left"):
        kept.clear()
    assert [(log["event"], log["tracker"], log["marks"]) for log in logs] == [("scope_dropped", "own", 1)]
    with context.scope():
        pass
    assert stage.inputs == []


def test_a_scope_that_was_never_entered_warns(context):
    kept = [context.scope()]
    with pytest.warns(ResourceWarning, match="was never entered"):
        kept.clear()


def test_what_was_refused_its_turn_does_not_warn(context, recwarn):
    with context.scope(), pytest.raises(ScopeAlreadyActive):
        context.scope().__enter__()
    gc.collect()
    assert not recwarn.list
