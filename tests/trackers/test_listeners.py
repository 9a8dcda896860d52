"""Listeners are told of each subject in order, of different ones side by side."""

import asyncio
import threading

import pytest
from structlog.testing import capture_logs

from engine.domain.tracker_effects import TransitionKind
from engine.domain.tracking import SubjectKind
from engine.trackers import Tracker, TrackerOptions, TrackerSpecs
from engine.trackers import deliverer as module
from engine.trackers.loading import Loaded, LoadedTracker
from tests.trackers.stage import GUILD, T
from tests.trackers.tellings import listener, told

METHODS = {
    TransitionKind.TRACKED: "player_tracked",
    TransitionKind.TRACKER_INACTIVE: "tracker_inactive",
    TransitionKind.TRACKER_ACTIVE: "tracker_active",
    TransitionKind.ACTIVE: "player_active",
    TransitionKind.INACTIVE: "player_inactive",
    TransitionKind.PAUSE: "player_paused",
    TransitionKind.RESUME: "player_resumed",
}


@pytest.mark.parametrize("is_async", [False, True])
def test_each_transition_has_its_method_and_brings_its_own_snapshot(tell, until, is_async):
    seen = []

    def method(name):
        async def later(snapshot):
            await asyncio.sleep(0)
            seen.append((name, snapshot))

        return later if is_async else lambda snapshot: seen.append((name, snapshot))

    it = tell(listener(**{name: method(name) for name in METHODS.values()}))
    snapshots = [told(what, at=T + number, tracker="users") for number, what in enumerate(METHODS)]
    for snapshot in snapshots:
        it.deliver(snapshot)
    until(lambda: len(seen) == len(METHODS))
    assert seen == list(zip(METHODS.values(), snapshots, strict=True))
    with pytest.raises(AttributeError):
        seen[0][1].at = 5


def test_what_was_delivered_before_the_start_is_told_after_it(tell, until):
    seen = []
    it = tell(listener(player_active=seen.append), start=False)
    it.deliver(told())
    assert seen == []
    it.start()
    until(lambda: seen)


def test_of_one_subject_all_is_told_in_order_to_each_listener(tell, until):
    seen = []

    async def later(snapshot):
        await asyncio.sleep(0.001)
        seen.append(("async", snapshot.at))

    it = tell(listener(player_active=later), listener(player_active=lambda s: seen.append(("sync", s.at))))
    for at in range(20):
        it.deliver(told(at=at))
    until(lambda: len(seen) == 40)
    assert seen == [(kind, at) for at in range(20) for kind in ("async", "sync")]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_slow_listener_delays_only_its_own_subject(tell, until, is_async):
    gate, seen = threading.Event(), []

    def slow(snapshot):
        if snapshot.subject_id == GUILD:
            gate.wait(20)
        seen.append(snapshot.subject_id)

    async def slow_later(snapshot):
        await asyncio.to_thread(slow, snapshot)

    it = tell(listener(player_active=slow_later if is_async else slow))
    for subject_id in (GUILD, 11, GUILD, 12, 11):
        it.deliver(told(subject_id=subject_id))
    until(lambda: len(seen) == 3)
    assert seen.count(11) == 2
    assert seen.count(12) == 1
    gate.set()
    until(lambda: seen.count(GUILD) == 2)


def test_a_guilds_player_does_not_wait_for_the_event_of_the_same_id(tell, until):
    gate, seen = threading.Event(), []

    def slow(snapshot):
        if snapshot.kind is SubjectKind.PLAYER:
            gate.wait(20)
        seen.append(snapshot.kind)

    it = tell(listener(player_active=slow))
    it.deliver(told())
    it.deliver(told(kind=SubjectKind.EVENT))
    until(lambda: seen == [SubjectKind.EVENT])
    gate.set()


@pytest.mark.parametrize(
    "error", [LookupError("mine"), SystemExit(1), StopIteration(), asyncio.CancelledError()]
)
@pytest.mark.parametrize("is_async", [False, True])
def test_one_that_raises_is_logged_and_skips_nobody(tell, until, is_async, error):
    seen = []

    def fail(snapshot):
        raise error

    async def fail_later(snapshot):
        raise error

    it = tell(listener(player_active=fail_later if is_async else fail), listener(player_active=seen.append))
    with capture_logs() as logs:
        it.deliver(told())
        it.deliver(told(subject_id=11))
        until(lambda: len(seen) == 2)
    assert [log["listener"] for log in logs if log["event"] == "listener_failed"] == [
        "listener-0.player_active"
    ] * 2
    until(lambda: (it.deliveries.failed, it.deliveries.told) == (2, 2))


def test_a_tracker_with_the_methods_is_a_listener(stage, runtime_of, until):
    class Both(Tracker):
        options = TrackerOptions.realtime("both")
        seen = ()

        async def run(self, _context):
            await asyncio.Event().wait()

        def player_active(self, snapshot):
            self.seen = (*self.seen, snapshot)

    both = Both()
    loaded = Loaded(TrackerSpecs(), stage.now)
    loaded.trackers.append(LoadedTracker("both", "Both", both.options, both))
    loaded.listeners["both"] = both
    it = runtime_of(loaded)
    it.start()
    it.deliver(told())
    until(lambda: both.seen)


def test_what_waits_is_bounded_by_subject_and_what_is_too_much_is_told_once(tell, until, monkeypatch):
    monkeypatch.setattr(module, "WAITING_MAX", 10)
    gate, seen = threading.Event(), []

    def slow(snapshot):
        if snapshot.subject_id == GUILD:
            gate.wait(20)
        seen.append(snapshot.subject_id)

    it = tell(listener(player_active=slow))
    it.deliver(told())
    until(lambda: it.deliveries.waiting == 0)
    with capture_logs() as logs:
        for _ in range(30):
            it.deliver(told())
        it.deliver(told(subject_id=11))
        until(lambda: seen == [11])
    assert it.deliveries.dropped == 20
    assert [log["event"] for log in logs] == ["listeners_too_slow"]
    gate.set()
    until(lambda: len(seen) == 12)


def test_what_waits_is_bounded_in_all(tell, until, monkeypatch):
    monkeypatch.setattr(module, "WAITING_MAX_IN_ALL", 10)
    it = tell(listener(player_active=print), start=False)
    for subject_id in range(30):
        it.deliver(told(subject_id=subject_id))
    assert (it.deliveries.waiting, it.deliveries.dropped) == (10, 20)


def test_many_subjects_are_told_a_bounded_number_at_once(tell, until, monkeypatch):
    monkeypatch.setattr(module, "SUBJECTS_AT_ONCE", 3)
    within, most, seen = 0, 0, 0

    async def count(_snapshot):
        nonlocal within, most, seen
        within += 1
        most = max(most, within)
        await asyncio.sleep(0.001)
        within -= 1
        seen += 1

    it = tell(listener(player_active=count), start=False)
    for subject_id in range(50):
        it.deliver(told(subject_id=subject_id))
    it.start()
    until(lambda: seen == 50)
    assert most == 3


def test_an_async_listener_that_hangs_is_given_up(tell, until, monkeypatch):
    monkeypatch.setattr(module, "ASYNC_LIMIT_S", 0.02)
    seen = []

    async def hang(_snapshot):
        await asyncio.Event().wait()

    it = tell(listener(player_active=hang), listener(player_active=seen.append))
    it.deliver(told())
    until(lambda: seen)
    assert it.deliveries.failed == 1


def test_a_stop_tells_what_waits_and_takes_no_more(tell, until):
    seen = []

    async def later(snapshot):
        await asyncio.sleep(0.005)
        seen.append(snapshot)

    it = tell(listener(player_active=later))
    for _ in range(5):
        it.deliver(told())
    it.stop()
    assert len(seen) == 5
    it.deliver(told())
    assert it.deliveries.waiting == 0


def test_a_stop_does_not_wait_for_ever(tell, until):
    gate, entered = threading.Event(), threading.Event()

    def hang(_snapshot):
        entered.set()
        gate.wait(20)

    it = tell(listener(player_active=hang))
    for subject_id in (GUILD, 11, 11):
        it.deliver(told(subject_id=subject_id))
    assert entered.wait(20)
    it.stop(timeout_s=0.05)
    until(lambda: not it._deliverer._thread.is_alive())
    gate.set()
