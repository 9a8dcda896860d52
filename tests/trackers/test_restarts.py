"""A tracker that fails is started again, and given up when it fails too often."""

import asyncio

import pytest
from structlog.testing import capture_logs

from engine.domain.tracker_inputs import TrackersKnown
from engine.trackers import VoiceView, restarts, worker
from engine.trackers.restarts import Restarts
from engine.trackers.status import TrackerState
from tests.trackers.plain import POLL, REAL, forever, is_in, say, status, tracker

pytestmark = pytest.mark.usefixtures("hurried")


@pytest.mark.parametrize("options", [POLL("own", 0.01), REAL("own")])
def test_one_that_raises_in_its_first_run_is_started_again_with_a_new_context(run, until, options):
    contexts = []

    async def fail_once(context):
        contexts.append(context)
        if len(contexts) == 1:
            raise LookupError("no such radio")
        await forever()

    with capture_logs() as logs:
        it = run(tracker(fail_once, options))
        until(lambda: len(contexts) == 2 and status(it).counts.restarts == 1)
    assert contexts[0] is not contexts[1]
    assert status(it).last_error == "LookupError: no such radio"
    assert status(it).counts.failures == 1
    assert status(it).state is TrackerState.RUNNING
    (log,) = [log for log in logs if log["event"] == "tracker_failed"]
    assert (log["tracker"], log["reason"], type(log["exc_info"])) == (
        "own",
        "LookupError: no such radio",
        LookupError,
    )


def test_one_that_raises_in_its_tenth_run_is_started_again(run, until):
    runs = 0

    async def fail_tenth(_context):
        nonlocal runs
        runs += 1
        if runs == 10:
            raise LookupError("the tenth")

    it = run(tracker(fail_tenth))
    until(lambda: runs >= 15)
    assert (status(it).counts.failures, status(it).counts.restarts) == (1, 1)


def test_one_that_raises_without_being_async_is_started_again(run, until):
    runs = []

    def fail_once(_context):
        runs.append(1)
        if len(runs) == 1:
            raise LookupError("at once")
        return forever()

    it = run(tracker(fail_once, REAL("own")))
    until(lambda: len(runs) == 2)
    assert status(it).last_error == "LookupError: at once"


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError()])
def test_what_would_end_a_process_ends_one_life_of_one_tracker(run, until, error):
    runs = []

    async def fail_once(_context):
        runs.append(1)
        if len(runs) == 1:
            raise error
        await forever()

    it = run(tracker(fail_once, REAL("own")))
    until(lambda: len(runs) == 2)
    assert status(it).last_error == line_of(error)


def line_of(error):
    return f"{type(error).__name__}: {error}".removesuffix(": ")


def test_an_error_of_one_of_its_tasks_is_told_without_the_group_around_it(run, until):
    async def fail():
        raise LookupError("in a task")

    async def follow(_context):
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())

    it = run(tracker(follow, REAL("own")))
    until(lambda: status(it).last_error)
    assert status(it).last_error == "LookupError: in a task"


def test_what_fails_in_a_callback_fails_the_tracker(run, stage, until):
    voice = VoiceView(stage)

    def changed(_guild_id):
        raise LookupError("in the callback")

    async def follow(_context):
        voice.subscribe(changed)
        await forever()

    it = run(tracker(follow, REAL("own")))
    until(lambda: stage.subscribers)
    stage.join(1)
    until(lambda: status(it).last_error == "LookupError: in the callback")
    until(is_in(it, TrackerState.RUNNING))


def test_a_realtime_tracker_that_returns_has_failed(run, until):
    async def follow(_context):
        pass

    it = run(tracker(follow, REAL("own")))
    until(lambda: status(it).last_error)
    assert "a realtime tracker goes on until it is cancelled" in status(it).last_error


def test_one_that_fails_too_often_stays_dead_and_its_marks_are_dropped(run, stage, until):
    runs = []

    async def fail(context):
        runs.append(1)
        say(context)
        raise LookupError("always")

    it = run(tracker(fail), tracker(forever, REAL("other")))
    until(is_in(it, TrackerState.DEAD))
    until(lambda: stage.known == ("other",))
    assert len(runs) == 6  # the first, and five restarts
    assert status(it).counts.restarts == 5
    assert len(stage.told(TrackersKnown)) == 2
    assert is_in(it, TrackerState.RUNNING, "other")()
    assert status(it).last_error == "LookupError: always"


def test_one_that_waits_for_its_next_start_keeps_its_marks(run, stage, until, monkeypatch):
    monkeypatch.setattr(worker, "Restarts", lambda: Restarts(first_delay_s=3600))

    async def fail(_context):
        raise LookupError("for now")

    it = run(tracker(fail))
    until(is_in(it, TrackerState.WAITING))
    assert stage.known == ("own",)
    it.stop()  # and does not wait for it
    assert status(it).state is TrackerState.STOPPED


def test_a_journal_that_takes_nothing_is_not_the_trackers_fault(run, stage, until):
    async def mark(context):
        say(context)

    it = run(tracker(mark))
    until(lambda: stage.commits)
    stage.refuses = RuntimeError("memory and spool are full")
    until(lambda: status(it).counts.failures > 8)
    stage.refuses = None
    seen = len(stage.commits)
    until(lambda: len(stage.commits) > seen)
    assert status(it).state is TrackerState.RUNNING


def test_what_is_left_of_an_earlier_life_commits_nothing(run, stage, until):
    contexts, refused = [], []

    async def linger(context):
        await asyncio.Event().wait()

    async def fail_once(context):
        contexts.append(context)
        if len(contexts) == 1:
            contexts.append(asyncio.create_task(linger(context)))
            raise LookupError("once")
        try:
            say(contexts[0])
        except RuntimeError as error:
            refused.append(error)
        await forever()

    run(tracker(fail_once, REAL("own")))
    until(lambda: refused)
    assert contexts[1].cancelled()
    assert stage.commits == []


def test_restarts_wait_twice_as_long_each_time_and_have_a_bound():
    it = Restarts(random_share=lambda: 0.0)
    assert [it.spend(0.0) for _ in range(6)] == [0.5, 1, 2, 4, 8, None]
    assert it.spend(29.9) is None
    assert it.spend(30.0) == 0.5


def test_restarts_are_spread_at_random():
    waits = {Restarts().spend(0.0) for _ in range(50)}
    assert len(waits) > 10
    assert all(0.25 <= wait <= 0.5 for wait in waits)
    assert Restarts(first_delay_s=10**6, random_share=lambda: 0).spend(0.0) == restarts.LIMIT_S
