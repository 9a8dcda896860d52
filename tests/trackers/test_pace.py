"""How fast a tracker's scopes get into the journal, on a clock that the test moves."""

import asyncio
import threading

import pytest
from structlog.testing import capture_logs

from engine.trackers import ScopeClosedError, TrackerContext, pace
from engine.trackers.pace import BURST_S, MARKS_OF_ONE, Pace
from tests.trackers.stage import GUILD


@pytest.fixture
def clock():
    class Clock:
        at = 1000.0

        def __call__(self):
            return self.at

    return Clock()


def test_a_burst_passes_and_then_each_waits_for_its_turn(clock):
    it = Pace("own", 8, clock)
    assert {it.turn(1) for _ in range(round(BURST_S * 8) + 1)} == {0.0}
    assert [it.turn(1) for _ in range(3)] == [0.125, 0.25, 0.375]
    clock.at += 0.5
    assert it.turn(1) == 0.0
    assert it.slowed_s == 0.75


def test_who_keeps_the_pace_never_waits_and_rest_gives_no_more_than_the_burst(clock):
    it = Pace("own", 8, clock)
    for _ in range(1000):
        assert it.turn(1) == 0.0
        clock.at += 0.125
    clock.at += 3600.0
    waits = [it.turn(1) for _ in range(round(BURST_S * 8) + 2)]
    assert waits[-2:] == [0.0, 0.125]


def test_a_scope_of_many_marks_counts_as_several_and_one_without_any_as_none(clock):
    it = Pace("own", 1, clock)
    assert it.turn(0) == 0.0
    assert it.turn(round(BURST_S + 5) * MARKS_OF_ONE) == 0.0
    assert it.turn(0) == 0.0
    assert it.turn(1) == pytest.approx(5.0)


def test_a_flood_is_told_once(clock):
    it = Pace("own", 1, clock)
    with capture_logs() as logs:
        for _ in range(50):
            it.turn(1)
    assert [(log["event"], log["tracker"]) for log in logs] == [("tracker_floods", "own")]


@pytest.fixture
def slow(stage, monkeypatch):
    """A context whose second scope would wait for an hour."""
    monkeypatch.setattr(pace, "BURST_S", 0.0)
    context = TrackerContext("own", stage, stage, stage.now, pace=Pace("own", 1 / 3600))
    with context.scope() as scope:
        scope.mark_inactive(GUILD)
    return context


def test_a_commit_that_waits_ends_with_its_trackers_life_and_commits_nothing(stage, slow):
    refused = []

    def flood():
        try:
            with slow.scope() as scope:
                scope.mark_active(GUILD)
        except ScopeClosedError as error:
            refused.append(error)

    thread = threading.Thread(target=flood)
    thread.start()
    slow.close()
    thread.join(20)
    assert not thread.is_alive()
    assert (len(refused), len(stage.commits)) == (1, 1)


async def test_a_commit_that_waits_can_be_cancelled_and_lets_the_next_scope_in(stage, slow):
    async def flood():
        async with slow.scope() as scope:
            scope.mark_active(GUILD)

    task = asyncio.create_task(flood())
    await asyncio.sleep(0)  # it runs until it waits
    assert slow.slowed_s > 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(stage.commits) == 1
    with slow.scope():
        pass  # without marks it waits for nothing
