"""When trackers run, on a thread each, and what becomes of a run that takes too long or keeps its thread."""

import asyncio
import threading

import pytest
from structlog.testing import capture_logs

from engine.trackers.status import TrackerState
from tests.trackers.plain import POLL, REAL, forever, is_in, say, status, tracker

pytestmark = pytest.mark.usefixtures("hurried")


def test_polling_runs_at_once_and_then_every_interval_with_the_same_context(run, until):
    contexts = []

    async def note(context):
        contexts.append((context, threading.current_thread().name))

    run(tracker(note))
    until(lambda: len(contexts) >= 4)
    assert len(set(contexts)) == 1
    assert contexts[0][1] == "tracker-own"


def test_polling_runs_at_once_however_long_its_interval(run, until):
    runs = []

    async def note(_context):
        runs.append(1)

    it = run(tracker(note, POLL("own", 10**400)))
    until(lambda: runs)
    assert status(it).counts.runs == 1


def test_the_default_interval_is_that_of_the_configuration(run, stage):
    it = run(tracker(forever, POLL("own")), tracker(forever, POLL("other", 9)), default_poll_interval_s=7)
    assert [s.interval_s for s in it.statuses()] == [7, 9]


def test_polling_runs_never_overlap_and_a_slow_one_swallows_ticks(run, until):
    within, most, runs = 0, 0, 0

    async def slow(_context):
        nonlocal within, most, runs
        within += 1
        most = max(most, within)
        await asyncio.sleep(0.05)
        within -= 1
        runs += 1

    it = run(tracker(slow))
    until(lambda: runs >= 3)
    assert most == 1
    assert status(it).counts.skipped >= 3


def test_a_wake_runs_what_polls_now(run, until):
    runs = []

    async def note(_context):
        runs.append(1)

    it = run(tracker(note, POLL("own", 3600)))
    until(lambda: len(runs) == 1)
    it.wake()
    until(lambda: len(runs) == 2)


def test_a_run_that_is_not_async_may_be_polled(run, stage, until):
    run(tracker(say))
    until(lambda: len(stage.commits) >= 2)


def test_realtime_is_called_once_and_cancelled_at_the_stop(run, until):
    calls, ended = [], threading.Event()

    async def follow(context):
        calls.append(context)
        try:
            await forever()
        finally:
            ended.set()

    it = run(tracker(follow, REAL("own")))
    until(lambda: calls)
    assert status(it).mode == "realtime"
    assert status(it).interval_s is None
    it.stop()
    assert ended.is_set()
    assert len(calls) == 1
    assert status(it).state is TrackerState.STOPPED


def test_a_run_that_takes_too_long_is_cancelled_and_told(run, until):
    runs = []

    async def hang_once(_context):
        runs.append(1)
        if len(runs) == 1:
            await forever()

    it = run(tracker(hang_once), run_limit_s=0.05)
    until(lambda: len(runs) >= 2)
    assert status(it).last_error == "RunEndedError: a run took longer than 0.05 s"


def test_a_timeout_of_its_own_is_not_taken_for_ours(run, until):
    async def time_out(_context):
        raise TimeoutError("the radio does not answer")

    it = run(tracker(time_out))
    until(lambda: status(it).last_error)
    assert status(it).last_error == "TimeoutError: the radio does not answer"


def test_one_that_blocks_its_thread_is_told_its_marks_dropped_and_others_go_on(run, stage, until):
    gate, others = threading.Event(), []

    async def block(context):
        say(context)
        gate.wait(30)

    async def note(_context):
        others.append(1)

    it = run(tracker(block), tracker(note, POLL("other", 0.01)), run_limit_s=0.05)
    until(is_in(it, TrackerState.BLOCKED))
    until(lambda: stage.known == ("other",))
    assert status(it).overdue
    assert status(it).running_s > 0.05
    assert "keeps its thread from going on" in status(it).last_error
    seen = len(others)
    until(lambda: len(others) > seen + 3)
    gate.set()  # it goes on: started anew, it counts again
    until(is_in(it, TrackerState.RUNNING))
    until(lambda: stage.known == ("own", "other"))
    assert status(it).counts.restarts >= 1


def test_what_a_blocked_one_says_when_it_goes_on_is_in_vain(run, stage, until):
    gate, refused = threading.Event(), []

    async def block(context):
        if not gate.is_set():
            gate.wait(30)
            try:
                say(context)
            except RuntimeError as error:
                refused.append(error)
        await forever()

    it = run(tracker(block, REAL("own")), run_limit_s=0.05)
    until(is_in(it, TrackerState.BLOCKED))
    gate.set()
    until(lambda: refused)
    assert stage.commits == []
    until(is_in(it, TrackerState.RUNNING))


def test_a_scope_that_a_run_leaves_open_is_let_go_of_for_the_next(run, stage, until):
    kept = []

    async def leak(context):
        if not kept:
            kept.append(context.scope().__enter__())
            kept[0].mark_inactive(1)
        else:
            say(context, 2)

    with capture_logs() as logs:
        it = run(tracker(leak))
        until(lambda: stage.commits)
    assert {mark[1] for mark in stage.marks} == {2}
    assert status(it).counts.leaked_scopes == 1
    assert [log["tracker"] for log in logs if log["event"] == "scope_left_open"] == ["own"]


def test_how_long_a_scope_is_open_is_told(run, until):
    gate = threading.Event()

    async def hold(context):
        async with context.scope():
            await asyncio.to_thread(gate.wait, 20)

    it = run(tracker(hold, POLL("own", 60)))
    until(lambda: status(it).scope_open_s)
    gate.set()
    until(lambda: status(it).scope_open_s is None)
