"""The runner: a thread for each tracker, started again when it fails, given up when it fails too often."""

import asyncio
import threading

import pytest
from structlog.testing import capture_logs

from engine.domain.tracker_inputs import ScopeCommitted, TrackersKnown
from engine.trackers import (
    ClassSpec,
    Tracker,
    TrackerOptions,
    TrackerRuntime,
    TrackerSpecs,
    VoiceView,
    load,
    restarts,
    worker,
)
from engine.trackers.restarts import Restarts
from engine.trackers.status import TrackerState
from tests.trackers.stage import GUILD, T

POLL, REAL = TrackerOptions.polling, TrackerOptions.realtime


def tracker(run, options=None):
    """Make a tracker of a function of its context."""

    class Own(Tracker):
        def run(self, context):
            return run(context)

    it = Own()
    it.options = options or POLL("own", 0.01)
    return it


async def forever(_context=None):
    await asyncio.Event().wait()


def say(context, guild_id=GUILD):
    with context.scope() as scope:
        scope.mark_inactive(guild_id)


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Let what fails come back at once, as often as ever."""
    monkeypatch.setattr(worker, "Restarts", lambda: Restarts(first_delay_s=0.001))


def status(runtime, label="own"):
    return next(it for it in runtime.statuses() if it.label == label)


def is_in(runtime, state, label="own"):
    return lambda: status(runtime, label).state is state


def test_a_start_tells_which_trackers_run_before_any_of_them_says_a_word(run, stage, until):
    async def mark(context):
        say(context)

    run(tracker(mark, POLL("one", 60)), tracker(forever, REAL("two")))
    until(lambda: stage.commits)
    assert stage.inputs[0] == TrackersKnown(T, ("one", "two"))
    assert isinstance(stage.inputs[1], ScopeCommitted)


def test_a_start_without_trackers_tells_so_and_drops_what_was_left(run, stage):
    run()
    assert stage.inputs == [TrackersKnown(T, ())]


def test_a_start_with_a_journal_that_takes_nothing_tells_later(run, stage, until):
    stage.refuses = RuntimeError("full")
    run(tracker(forever, REAL("own")))
    stage.refuses = None
    until(lambda: stage.inputs)
    assert stage.inputs == [TrackersKnown(T, ("own",))]


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


def test_a_tracker_may_commit_on_its_way_out_and_not_after_it(run, stage, until):
    contexts = []

    async def follow(context):
        contexts.append(context)
        try:
            await forever()
        finally:
            say(context)

    it = run(tracker(follow, REAL("own")))
    until(lambda: contexts)
    it.stop()
    assert len(stage.commits) == 1
    with pytest.raises(RuntimeError, match="runs no more"):
        say(contexts[0])


def test_a_stop_keeps_the_marks(run, stage, until):
    stage.play()

    async def mark(context):
        say(context)

    it = run(tracker(mark))
    until(lambda: stage.commits)
    it.stop()
    assert stage.known == ("own",)
    assert len(stage.told(TrackersKnown)) == 1


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


def test_a_run_that_is_not_async_may_be_polled(run, stage, until):
    run(tracker(say))
    until(lambda: len(stage.commits) >= 2)


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
    assert status(it).counts.restarts == 1


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


def test_a_stop_does_not_wait_for_ever_for_one_that_blocks(run, until):
    gate, entered = threading.Event(), threading.Event()

    async def block(_context):
        entered.set()
        gate.wait(30)

    it = run(tracker(block))
    entered.wait(20)
    with capture_logs() as logs:
        it.stop(timeout_s=0.05)
    assert [log["trackers"] for log in logs if log["event"] == "trackers_did_not_stop"] == [["own"]]
    gate.set()


def test_one_that_will_not_be_cancelled_is_left_behind(run, stage):
    entered, gate = threading.Event(), threading.Event()

    async def stay(_context):
        while not gate.is_set():
            entered.set()
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    it = run(tracker(stay, REAL("own")))
    entered.wait(20)
    with capture_logs() as logs:
        it.stop(timeout_s=0.05)
    assert "trackers_did_not_stop" in [log["event"] for log in logs]
    gate.set()


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


def test_a_status_tells_all_there_is_to_know(run, stage, until):
    stage.play(1)
    stage.play(2)
    stage.hold()

    async def mark(context):
        with context.scope() as scope:
            scope.mark_inactive(1)
            scope.mark_event_inactive(5_000)
            scope.mark_active(2)

    it = run(tracker(mark, POLL("own", 60)))
    until(lambda: status(it).counts.last_run_s is not None)
    assert status(it).described() == {
        "label": "own",
        "class": "Own",
        "mode": "polling",
        "intervalS": 60,
        "state": "running",
        "lastRunAt": "2027-01-15T08:00:00.000Z",
        "lastRunS": status(it).counts.last_run_s,
        "runningS": None,
        "overdue": False,
        "runs": 1,
        "runS": status(it).counts.run_s,
        "skippedRuns": 0,
        "failures": 0,
        "restarts": 0,
        "leakedScopes": 0,
        "lastError": None,
        "active": 1,
        "inactive": 2,
        "scopeOpenS": None,
        "slowedS": 0.0,
    }


def test_what_could_not_be_loaded_has_a_status_and_is_logged(run, stage):
    specs = TrackerSpecs(custom=(ClassSpec("nowhere:Mine"),))
    with capture_logs() as logs:
        it = run(specs=specs)
    found = it.statuses()[-1]
    assert (found.label, found.class_name, found.state) == (
        "trackers.custom.0.class",
        "nowhere:Mine",
        TrackerState.NOT_LOADED,
    )
    assert found.described()["lastError"] == "there is no module 'nowhere'"
    assert [log["key"] for log in logs if log["event"] == "tracker_not_loaded"] == ["trackers.custom.0.class"]
    assert stage.known == ("abandoned",)


def test_a_second_start_does_nothing_a_second_stop_neither(run, stage, until):
    it = run(tracker(forever, REAL("own")))
    it.start()
    it.stop()
    it.stop()
    assert len(stage.told(TrackersKnown)) == 1
    with pytest.raises(RuntimeError, match="make a new TrackerRuntime"):
        it.start()


def test_a_stop_without_a_start_does_nothing(stage):
    TrackerRuntime(load(TrackerSpecs(), stage.now), stage, stage, stage.now).stop()
    assert stage.inputs == []


def test_a_stop_leaves_no_thread_and_no_subscription(run, stage, until):
    stage.play()
    it = run(specs=TrackerSpecs())
    until(lambda: stage.subscribers == 3)
    it.stop()
    stage.join(1)  # whoever is gone is found out at the latest now
    assert stage.subscribers == 0
    names = [it.name for it in threading.enumerate()]
    assert not [name for name in names if name.startswith(("tracker", "listener"))]


def test_more_trackers_than_the_reference_bears(run, stage, until):
    stage.play()

    async def mark(context):
        say(context)

    run(*[tracker(mark, POLL(f"own-{number}", 60)) for number in range(40)])
    until(lambda: len(stage.commits) == 40)
    assert len(stage.guild(GUILD).subject.marks) == 40


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
