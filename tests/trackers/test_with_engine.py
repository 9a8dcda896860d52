"""Trackers on the real actors: what they say comes to a deadline, and that to an end, to the millisecond."""

import threading
from itertools import count

import pytest

from engine.actors import partition
from engine.actors.engine import Engine, EngineSettings
from engine.actors.sight import Sight
from engine.domain.event_inputs import CreateEvent, EventFields, StartEvent
from engine.domain.events import EventStatus
from engine.domain.inputs import Entry, GuildSnapshot, Heartbeat, ShardBeat, VoiceState, VoiceStateChanged
from engine.domain.rules import Rules, TrackingRules
from engine.domain.tracker_effects import DisconnectPlayer, TransitionKind
from engine.domain.tracking import SubjectKind, SubjectState
from engine.storage.protocols import Stores
from engine.trackers import (
    Tracker,
    TrackerOptions,
    TrackerRuntime,
    TrackerSpecs,
    builtin,
    load,
    pace,
    postpone,
)
from engine.trackers.loading import LoadedTracker
from engine.trackers.status import TrackerState
from tests.actors.memory import MemoryJournal, MemoryLedger, MemoryLive, MemoryOutbox
from tests.trackers.stage import CHANNEL, EVENT, GUILD, OWN, T

USER = 1


class House:
    """An engine on memory, its trackers, and a clock that only the test moves."""

    def __init__(self, specs, *trackers, listener=None, **rules):
        self.at = T
        self.loaded = load(specs, lambda: self.at)
        assert not self.loaded.problems
        for it in trackers:
            self.loaded.trackers.append(LoadedTracker(it.options.label, "Own", it.options, it))
        if listener is not None:
            self.loaded.listeners["own"] = listener
        self.journal, self.ledger, self._seq = MemoryJournal(), MemoryLedger(), count(1)
        tracking = TrackingRules(self.loaded.labels, ask=self.loaded.asks, **rules)
        stores = [Stores(self.journal, self.ledger, MemoryLive(), MemoryOutbox())]
        self.engine = Engine(EngineSettings(), stores, Rules(tracking=tracking))
        self.engine.start()
        self.sight = Sight(
            self.engine.published, [self.ledger], [inside.events for inside in self.engine.inside]
        )
        self.runtime = TrackerRuntime(self.loaded, self.sight, self, lambda: self.at)
        self.engine.aftermath.listeners = self.runtime.deliver
        self.runtime.start()

    def append(self, *inputs):
        for it in inputs:
            self.journal.append(Entry("test", next(self._seq), it))

    def arrive(self, *others):
        """Let the bot come into voice, and others be there."""
        states = tuple(VoiceState(it, CHANNEL, bot=it == OWN) for it in (OWN, *others))
        self.append(GuildSnapshot(self.at, GUILD, "c", states, own_user_id=OWN))

    def join(self, user_id, channel_id=CHANNEL):
        self.append(VoiceStateChanged(self.at, GUILD, user_id, channel_id))

    def wait(self, duration_ms):
        """Let time pass, as heartbeats make it."""
        self.at += duration_ms
        self.append(Heartbeat(self.at, (ShardBeat(0, "c", True, self.at),)))

    def effects(self, kind):
        return [it for commit in list(self.ledger.commits) for it in commit.effects if type(it) is kind]

    @property
    def subject(self):
        state = self.sight.guild(GUILD)
        return None if state is None else state.subject

    def stands(self, state, deadline=None):
        return lambda: self.subject and (self.subject.state, self.subject.deadline) == (state, deadline)

    def close(self):
        self.runtime.stop()
        self.engine.stop()


@pytest.fixture
def house(monkeypatch):
    monkeypatch.setattr(partition, "BLOCK_MS", 5)
    made = []

    def make(*args, **more):
        made.append(House(*args, **more))
        return made[-1]

    yield make
    for it in made:
        it.close()


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


class SaysInactive(Tracker):
    """Reports every player inactive, again and again."""

    options = TrackerOptions.polling("own", 0.01)

    def __init__(self):
        self.runs = 0

    async def run(self, context):
        with context.scope() as scope:
            scope.mark_inactive(GUILD, 30)
        self.runs += 1


OWN_ONLY = TrackerSpecs(use_default_trackers=False)


def test_a_polling_tracker_that_says_inactive_each_time_expires_its_player_at_its_first_word(house, until):
    own = SaysInactive()
    it = house(OWN_ONLY, own)
    it.arrive()
    until(it.stands(SubjectState.INACTIVE, T + 30_000))
    for _ in range(29):
        it.wait(1_000)
        seen = own.runs
        until(lambda seen=seen: own.runs > seen + 1)
    until(it.stands(SubjectState.INACTIVE, T + 30_000))
    assert it.effects(DisconnectPlayer) == []
    it.wait(1_500)
    until(it.stands(SubjectState.EXPIRED, T + 30_000))
    (gone,) = until(lambda: it.effects(DisconnectPlayer))
    assert (gone.guild_id, gone.channel_id, gone.at) == (GUILD, CHANNEL, T + 30_000)


def test_users_holds_a_lonely_player_inactive_until_somebody_comes(house, until):
    told = []

    class Notes:
        def player_tracked(self, snapshot):
            told.append(snapshot)

        def player_active(self, snapshot):
            told.append(snapshot)

    it = house(TrackerSpecs(use_default_trackers=True, idle={"states": ["paused"]}), listener=Notes())
    it.arrive()
    until(it.stands(SubjectState.INACTIVE, T + 30_000))
    it.wait(20_000)
    it.join(USER)
    until(it.stands(SubjectState.ACTIVE))
    it.join(USER, channel_id=None)
    until(it.stands(SubjectState.INACTIVE, T + 50_000))
    until(lambda: len(told) == 3)
    assert [(one.what, one.at, one.tracker) for one in told] == [
        (TransitionKind.TRACKED, T, "users"),
        (TransitionKind.ACTIVE, T + 20_000, "users"),
        (TransitionKind.TRACKED, T + 20_000, "users"),
    ]


def test_a_listener_postpones_an_expiry(house, until):
    class Waits:
        def __init__(self):
            self.asked = 0

        async def player_expiring(self, _snapshot):
            self.asked += 1
            return postpone(60) if self.asked == 1 else "expire"

    it = house(OWN_ONLY, SaysInactive(), listener=Waits())
    it.arrive(USER)
    until(it.stands(SubjectState.INACTIVE, T + 30_000))
    it.wait(31_000)
    until(it.stands(SubjectState.INACTIVE, T + 91_000))
    it.wait(60_000)
    until(it.stands(SubjectState.EXPIRED, T + 91_000))


def test_an_event_that_everybody_left_ends_when_they_did(house, until, monkeypatch):
    monkeypatch.setattr(builtin, "SWEEP_S", 0.01)
    it = house(TrackerSpecs(abandoned={"timeout_s": 60}))
    it.arrive(USER)
    it.append(CreateEvent(T, GUILD, EVENT, EventFields("evening", (CHANNEL,))), StartEvent(T, GUILD, EVENT))
    until(lambda: list(it.sight.events()))
    it.wait(10_000)
    it.join(USER, channel_id=None)
    until(lambda: it.sight.mark(SubjectKind.EVENT, GUILD, EVENT, "abandoned"))
    it.wait(61_000)
    until(lambda: not list(it.sight.events()))
    until(lambda: it.ledger.load_event(EVENT).status is EventStatus.ENDED)
    assert it.ledger.load_event(EVENT).ended_at == T + 10_000


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
    it = house(TrackerSpecs(use_default_trackers=False, run_limit_s=0.2), *troubles, own)
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
