"""An engine with trackers for tests, and a tracker that says one thing."""

from itertools import count

from engine.actors.engine import Engine, EngineSettings
from engine.actors.sight import Sight
from engine.domain.inputs import Entry, GuildSnapshot, Heartbeat, ShardBeat, VoiceState, VoiceStateChanged
from engine.domain.rules import Rules, TrackingRules
from engine.storage.protocols import Stores
from engine.trackers import (
    Tracker,
    TrackerOptions,
    TrackerRuntime,
    TrackerSpecs,
    load,
)
from engine.trackers.loading import LoadedTracker
from tests.actors.memory import MemoryJournal, MemoryLedger, MemoryLive, MemoryOutbox
from tests.trackers.stage import CHANNEL, GUILD, OWN, T

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
