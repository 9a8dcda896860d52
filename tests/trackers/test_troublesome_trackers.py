"""Trackers that fail, block, leak or flood: what they say is dropped or slowed, and nobody else notices."""

import threading

from engine.domain.inputs import VoiceStateChanged
from engine.domain.tracking import SubjectKind, SubjectState
from engine.trackers import (
    Tracker,
    TrackerOptions,
    TrackerSpecs,
    pace,
)
from engine.trackers.status import TrackerState
from tests.trackers.house import OWN_ONLY, USER, SaysInactive
from tests.trackers.stage import GUILD, OWN, T


def test_the_marks_of_a_tracker_that_stays_dead_are_dropped(house, until):
    class Fails(SaysInactive):
        async def run(self, context):
            await super().run(context)
            if self.runs > 3:
                raise LookupError

    it = house(OWN_ONLY, Fails())
    it.runtime._workers[0]._restarts.first_delay_s = 0.001
    it.arrive(USER)
    until(lambda: it.runtime.statuses()[0].state is TrackerState.DEAD)
    until(it.stands(SubjectState.ACTIVE))
    assert it.sight.mark(SubjectKind.PLAYER, GUILD, GUILD, "own") is None


def test_where_all_must_agree_nobody_waits_for_one_that_stays_dead(house, until):
    class Fails(Tracker):
        options = TrackerOptions.polling("fails", 0.01)

        async def run(self, _context):
            raise LookupError

    it = house(OWN_ONLY, SaysInactive(), Fails(), mode_all=True)
    it.runtime._workers[1]._restarts.first_delay_s = 0.001
    it.arrive()
    until(lambda: it.runtime.statuses()[1].state is TrackerState.DEAD)
    until(it.stands(SubjectState.INACTIVE, T + 30_000))
    assert it.subject.silent == {"fails": T}
    it.append(VoiceStateChanged(T + 1_000, GUILD, OWN, None, bot=True))
    until(lambda: it.subject is None)
    it.wait(5_000)  # one who comes when it is long dead
    it.arrive()
    until(it.stands(SubjectState.INACTIVE, T + 35_000))
    it.wait(31_000)
    until(it.stands(SubjectState.EXPIRED, T + 35_000))


class Trouble(Tracker):
    """Runs every 10 ms, and does what it should not in one of its runs."""

    def __init__(self, label, run_of_it, do):
        self.options = TrackerOptions.polling(label, 0.01)
        self._runs, self._run_of_it, self._do = 0, run_of_it, do

    async def run(self, context):
        self._runs += 1
        if self._runs == self._run_of_it:
            self._do(context)


def test_trackers_that_raise_block_or_leak_disturb_neither_sessions_nor_other_trackers(house, until):
    gate, kept, own = threading.Event(), [], SaysInactive()

    def fail(_context):
        raise LookupError

    def leak(context):
        kept.append(context.scope())
        kept[-1].__enter__().mark_inactive(GUILD, 1)

    troubles = [
        Trouble("first", 1, fail),
        Trouble("tenth", 10, fail),
        Trouble("blocks", 2, lambda _: gate.wait(60)),
        Trouble("leaks", 2, leak),
    ]
    it = house(TrackerSpecs(use_default_trackers=False, run_limit_s=1), *troubles, own)
    first, tenth, blocks, leaks = (lambda n=n: it.runtime.statuses()[n] for n in range(4))
    it.arrive()
    until(it.stands(SubjectState.INACTIVE, T + 30_000))
    until(lambda: first().counts.restarts and tenth().counts.restarts)
    until(lambda: blocks().state is TrackerState.BLOCKED)
    until(lambda: leaks().counts.leaked_scopes)
    it.wait(20_000)
    it.join(USER)
    until(lambda: USER in it.sight.guild(GUILD).sessions)
    seen, others = own.runs, [first().counts.runs, tenth().counts.runs, leaks().counts.runs]
    until(lambda: own.runs > seen + 3)
    until(lambda: all(now().counts.runs > n for now, n in zip((first, tenth, leaks), others, strict=True)))
    it.join(USER, channel_id=None)
    it.wait(15_000)
    until(it.stands(SubjectState.EXPIRED, T + 30_000))
    assert blocks().state is TrackerState.BLOCKED
    gate.set()


class Floods(Tracker):
    """Commits scope after scope and never rests."""

    options = TrackerOptions.realtime("floods")

    def __init__(self):
        self.commits = 0

    async def run(self, context):
        while True:
            async with context.scope() as scope:
                scope.mark_inactive(GUILD, 1 + self.commits % 2)
            self.commits += 1


def test_a_tracker_that_floods_is_slowed_and_nobody_else_notices(house, until, monkeypatch):
    monkeypatch.setattr(pace, "BURST_S", 0.1)
    floods, own = Floods(), SaysInactive()
    specs = TrackerSpecs(use_default_trackers=False, scopes_per_s=100)
    it = house(specs, floods, own, mode_all=True, combine="highest")
    it.arrive()
    until(lambda: it.runtime.statuses()[0].slowed_s > 0.2)  # the burst is spent, and 20 more have waited
    assert it.runtime.statuses()[0].state is TrackerState.RUNNING
    it.wait(20_000)
    seen, committed = own.runs, floods.commits
    it.join(USER)
    until(lambda: USER in it.sight.guild(GUILD).sessions)
    assert it.sight.guild(GUILD).sessions[USER].joined_at == T + 20_000
    until(lambda: own.runs > seen + 3)
    until(lambda: floods.commits > committed)  # slowed, not stopped
    until(it.stands(SubjectState.INACTIVE, T + 30_000))
    it.wait(15_000)
    until(it.stands(SubjectState.EXPIRED, T + 30_000))
    assert it.runtime.statuses()[1].slowed_s < it.runtime.statuses()[0].slowed_s
