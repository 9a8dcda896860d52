"""Histories for hypothesis to draw, and what may go wrong while a bench takes them."""

from collections import Counter
from typing import NamedTuple

from hypothesis import strategies as st

from engine.domain import step as rules_table
from engine.domain.inputs import (
    ChannelCreated,
    ChannelDeleted,
    GuildLost,
    GuildsKnown,
    GuildSnapshot,
    Heartbeat,
    MemberRemoved,
    ShardBeat,
    VoiceState,
    VoiceStateChanged,
)
from engine.domain.voice import voice_state_changed

GUILDS = [n << 22 for n in (1, 2, 3)]
guild = st.sampled_from(GUILDS)
user = st.integers(1, 3)
channel = st.integers(7, 9)
connection = st.sampled_from(["first", "second"])
moment = st.just(0)  # until the history lays its inputs out in time
one_input = st.one_of(
    st.builds(VoiceStateChanged, moment, guild, user, st.none() | channel, st.integers(0, 3)),
    st.builds(VoiceStateChanged, moment, guild, user, channel, st.just(0), st.sampled_from(["a", "b"])),
    st.builds(
        GuildSnapshot,
        moment,
        guild,
        connection,
        st.lists(st.builds(VoiceState, user, channel), max_size=3).map(tuple),
    ),
    st.builds(ChannelCreated, moment, guild, channel),
    st.builds(ChannelDeleted, moment, guild, channel),
    st.builds(MemberRemoved, moment, guild, user),
    st.builds(GuildLost, moment, guild),
    st.builds(
        GuildsKnown, moment, connection, st.just(0), st.just(1), st.lists(guild, max_size=2).map(tuple)
    ),
    st.builds(
        Heartbeat,
        moment,
        st.builds(ShardBeat, st.just(0), connection, st.booleans(), moment).map(lambda it: (it,)),
    ),
)


@st.composite
def histories(draw):
    """Inputs with times that go on by up to two minutes at a step, sometimes a little back."""
    at, inputs = 1_000_000, []
    for it in draw(st.lists(one_input, min_size=1, max_size=40)):
        at += draw(st.integers(-500, 3_000) | st.just(120_000))
        inputs.append(_at(it, at))
    return inputs


def _at(what, at):
    fields = {name: getattr(what, name) for name in what.__struct_fields__} | {"at": at}
    if isinstance(what, Heartbeat):
        fields["shards"] = tuple(
            ShardBeat(it.shard_id, it.connection, it.connected, at) for it in what.shards
        )
    return type(what)(**fields)


class RandomFailures:
    """Fails at an input as often as the plan says: twice at most, so that the third try alone succeeds."""

    def __init__(self, plan):
        self.plan, self.seen = plan, Counter()

    def __call__(self, draft, change):
        self.seen[change] += 1
        if self.seen[change] <= self.plan.get(hash((change.at, change.user_id)) % 7, 0):
            raise RuntimeError("a random failure")
        voice_state_changed(draft, change)


class Adversity(NamedTuple):
    """Which inputs fail how often, how many entries a read returns, after which inputs the engine stops."""

    failures: dict[int, int]
    splits: list[int]
    halts: set[int]
    workers: int


adversities = st.builds(
    Adversity,
    failures=st.dictionaries(st.integers(0, 6), st.integers(1, 2)),
    splits=st.lists(st.integers(1, 5), max_size=40),
    halts=st.sets(st.integers(0, 39), max_size=3),
    workers=st.sampled_from([1, 3]),
)


def weather(bench, inputs, adversity, failures, monkeypatch):
    """Let a bench take inputs while rules fail, reads end anywhere and the engine stops; close it."""
    bench.journal.splits = iter(adversity.splits)
    with monkeypatch.context() as patch:
        patch.setattr(rules_table, "voice_state_changed", RandomFailures(failures))
        bench.start()
        for number, it in enumerate(inputs):
            bench.write(it)
            if number in adversity.halts:
                bench.stop()
                bench.start()
        bench.settle()
        bench.close()
