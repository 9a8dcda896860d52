"""The runtime from its start to its stop: what it tells of trackers, and what it leaves behind."""

import asyncio
import threading

import pytest
from structlog.testing import capture_logs

from engine.domain.tracker_inputs import ScopeCommitted, TrackersKnown
from engine.trackers import ClassSpec, TrackerRuntime, TrackerSpecs, load
from engine.trackers.status import TrackerState
from tests.trackers.plain import POLL, REAL, forever, say, status, tracker
from tests.trackers.stage import GUILD, T

pytestmark = pytest.mark.usefixtures("hurried")


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


def test_more_trackers_than_the_reference_bears(run, stage, until):
    stage.play()

    async def mark(context):
        say(context)

    run(*[tracker(mark, POLL(f"own-{number}", 60)) for number in range(40)])
    until(lambda: len(stage.commits) == 40)
    assert len(stage.guild(GUILD).subject.marks) == 40


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


def test_a_stop_does_not_wait_for_ever_for_one_that_blocks(run, until):
    gate, entered = threading.Event(), threading.Event()

    async def block(_context):
        entered.set()
        gate.wait(30)

    it = run(tracker(block))
    assert entered.wait(20)
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
    assert entered.wait(20)
    with capture_logs() as logs:
        it.stop(timeout_s=0.05)
    assert "trackers_did_not_stop" in [log["event"] for log in logs]
    gate.set()


def test_a_stop_leaves_no_thread_and_no_subscription(run, stage, until):
    stage.play()
    it = run(specs=TrackerSpecs())
    until(lambda: stage.subscribers == 3)
    it.stop()
    stage.join(1)  # whoever is gone is found out at the latest now
    assert stage.subscribers == 0
    names = [it.name for it in threading.enumerate()]
    assert not [name for name in names if name.startswith(("tracker", "listener"))]


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
