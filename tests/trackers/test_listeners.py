"""Listeners: told of each subject in order, of different ones side by side, asked before an expiry."""

import asyncio
import threading

import pytest
from structlog.testing import capture_logs

from engine.domain.tracker_effects import TellListeners, TransitionKind
from engine.domain.tracker_inputs import ExpiryDecided
from engine.domain.tracking import Decision, SubjectKind, SubjectState
from engine.trackers import EXPIRE, IGNORE, Tracker, TrackerOptions, TrackerRuntime, TrackerSpecs, postpone
from engine.trackers import deliverer as module
from engine.trackers.loading import Loaded, LoadedTracker
from tests.trackers.stage import GUILD, T

D = T + 30_000
METHODS = {
    TransitionKind.TRACKED: "player_tracked",
    TransitionKind.TRACKER_INACTIVE: "tracker_inactive",
    TransitionKind.TRACKER_ACTIVE: "tracker_active",
    TransitionKind.ACTIVE: "player_active",
    TransitionKind.INACTIVE: "player_inactive",
    TransitionKind.PAUSE: "player_paused",
    TransitionKind.RESUME: "player_resumed",
}


def told(what=TransitionKind.ACTIVE, subject_id=GUILD, at=T, kind=SubjectKind.PLAYER, **more):
    return TellListeners(GUILD, kind, subject_id, what, at, SubjectState.ACTIVE, **more)


def expiring(subject_id=GUILD, deadline=D):
    return told(TransitionKind.EXPIRING, subject_id, D, deadline=deadline)


def listener(**methods):
    """Make a listener of functions of a snapshot."""
    return type("Own", (), {name: staticmethod(call) for name, call in methods.items()})()


@pytest.fixture
def tell(stage):
    """Start a runtime with these listeners, and return it."""
    running = []

    def tell(*listeners, start=True):
        loaded = Loaded(TrackerSpecs(), stage.now)
        loaded.listeners.update({f"listener-{number}": it for number, it in enumerate(listeners)})
        it = TrackerRuntime(loaded, stage, stage, stage.now)
        running.append(it)
        if start:
            it.start()
        return it

    yield tell
    for it in running:
        it.stop()


def decisions(stage):
    return [(it.subject_id, Decision(it.decision), it.postpone_ms) for it in stage.told(ExpiryDecided)]


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


def test_a_tracker_with_the_methods_is_a_listener(stage, run, until):
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
    it = TrackerRuntime(loaded, stage, stage, stage.now)
    it.start()
    it.deliver(told())
    until(lambda: both.seen)
    it.stop()


@pytest.mark.parametrize(
    ("returned", "decided"),
    [
        (None, (Decision.EXPIRE, 0)),
        ("expire", (Decision.EXPIRE, 0)),
        (EXPIRE, (Decision.EXPIRE, 0)),
        ("ignore", (Decision.IGNORE, 0)),
        (IGNORE, (Decision.IGNORE, 0)),
        (postpone(90), (Decision.POSTPONE, 90_000)),
    ],
)
def test_a_listener_decides_and_it_is_journaled(tell, stage, until, returned, decided):
    async def later(_snapshot):
        return returned

    it = tell(listener(player_expiring=lambda _snapshot: None), listener(player_expiring=later))
    stage.at = D + 7
    it.deliver(expiring())
    until(lambda: stage.told(ExpiryDecided))
    assert stage.told(ExpiryDecided) == [ExpiryDecided(D + 7, GUILD, 0, GUILD, D, *decided)]


def test_the_first_that_does_not_say_expire_decides_and_the_rest_is_not_asked(tell, stage, until):
    asked = []

    def says(answer):
        def method(_snapshot):
            asked.append(answer)
            return answer

        return listener(player_expiring=method)

    it = tell(says(None), says("expire"), says(postpone(5)), says("ignore"))
    it.deliver(expiring())
    until(lambda: stage.told(ExpiryDecided))
    assert decisions(stage) == [(GUILD, Decision.POSTPONE, 5_000)]
    assert asked == [None, "expire", postpone(5)]


def test_one_that_raises_or_talks_nonsense_has_not_decided(tell, stage, until):
    def fail(_snapshot):
        raise LookupError("undecided")

    it = tell(
        listener(player_expiring=fail),
        listener(player_expiring=lambda _snapshot: 5),
        listener(player_expiring=lambda _snapshot: "ignore"),
    )
    with capture_logs() as logs:
        it.deliver(expiring())
        until(lambda: stage.told(ExpiryDecided))
    assert decisions(stage) == [(GUILD, Decision.IGNORE, 0)]
    assert [log["reason"] for log in logs if log["event"] == "listener_failed"] == [
        "LookupError: undecided",
        "ValueError: player_expiring may return None, 'expire', 'ignore' or postpone(s), not 5",
    ]


def test_where_nobody_wants_to_be_asked_it_expires(tell, stage):
    tell(listener(player_active=print)).deliver(expiring())
    assert decisions(stage) == [(GUILD, Decision.EXPIRE, 0)]


def test_a_slow_decision_holds_up_no_other(tell, stage, until):
    gate = threading.Event()

    def decide(snapshot):
        if snapshot.subject_id == GUILD:
            gate.wait(20)
            return "ignore"
        return None

    it = tell(listener(player_expiring=decide))
    it.deliver(expiring())
    it.deliver(expiring(11))
    until(lambda: decisions(stage))
    gate.set()
    until(lambda: len(decisions(stage)) == 2)
    assert decisions(stage) == [(11, Decision.EXPIRE, 0), (GUILD, Decision.IGNORE, 0)]


def test_a_decision_that_the_journal_does_not_take_is_told(tell, stage, until):
    it = tell(listener(player_expiring=lambda _snapshot: None, player_active=lambda _snapshot: None))
    stage.refuses = RuntimeError("full")
    with capture_logs() as logs:
        it.deliver(expiring())
        it.deliver(told())
        until(lambda: it.deliveries.told == 2)
    assert [log["event"] for log in logs] == ["decision_lost"]


@pytest.mark.parametrize("seconds", [0, -1, float("inf")])
def test_it_is_postponed_by_some_time(seconds):
    with pytest.raises(ValueError, match="seconds must be above 0 and finite"):
        postpone(seconds)


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

    it = tell(listener(player_active=count))
    for subject_id in range(50):
        it.deliver(told(subject_id=subject_id))
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
    entered.wait(20)
    it.stop(timeout_s=0.05)
    assert not it._deliverer._thread.is_alive()
    gate.set()
