"""Histories for hypothesis to draw: what a real Discord might do, and a soup of anything at all."""

import hypothesis.strategies as st

from engine.domain.inputs import (
    Channel,
    ChannelCreated,
    ChannelDeleted,
    Entry,
    GuildLost,
    GuildSnapshot,
    GuildUnavailable,
    Heartbeat,
    MemberRemoved,
    RolesChanged,
    ShardBeat,
    VoiceState,
    VoiceStateChanged,
)
from tests.domain.ingest import GUILDS, START, USERS, Op, snowflake
from tests.domain.world import World

SEEN = (
    *(*["go"] * 5, *["toggle"] * 3, *["roles"] * 2, "regroup", "repeat"),
    *("remove", "create", "delete", "again", "ahead"),
)
GAPS = (
    ("lose", "resume"),
    ("lose", "resume"),
    ("lose", "resume_partly", "resume"),
    ("lose", "resume_partly", "identify"),
    ("lose", "identify"),
    ("lose", "identify", "snapshot"),
    ("die", "revive"),
    ("die", "revive", "snapshot"),
    ("lose", "die", "revive"),
    ("die", "revive", "lose", "identify", "snapshot"),  # a guild last seen two connections ago
    ("unavailable", "snapshot"),
    ("unavailable", "lost", "snapshot"),
    ("unavailable", "lose", "resume", "snapshot"),
    ("lost", "snapshot"),
)

# Mostly one and the same user: things must happen to somebody to whom things have happened.
who = st.sampled_from((0, 0, 0, 0, 2, 2, 1))
where = st.integers(0, 7)


def op(names: str | tuple[str, ...], pauses_ms: tuple[int, ...]) -> st.SearchStrategy[Op]:
    name = st.just(names) if isinstance(names, str) else st.sampled_from(names)
    return st.builds(Op, st.sampled_from(pauses_ms), name, who, where)


def flat(parts: list) -> list[Op]:
    return [it for part in parts for it in part]


PAUSES_MS = (0, 1, 400, 999, 1_000, 5_000, 10_000, 10_001)
seen_histories = st.lists(op(SEEN, PAUSES_MS), min_size=15, max_size=40)
# No two things at the same moment: then before and after the loss of a connection is a matter of time.
GAP_PAUSES_MS = (1, 400, 1_000, 10_001)
some = st.lists(op(SEEN, GAP_PAUSES_MS), min_size=1, max_size=6)
gaps = (
    st.sampled_from(GAPS)
    .flatmap(
        lambda names: st.tuples(
            *(st.tuples(op(name, GAP_PAUSES_MS), some).map(lambda it: [it[0], *it[1]]) for name in names)
        )
    )
    .map(flat)
)
gap_histories = st.lists(some | gaps | gaps, min_size=2, max_size=6).map(flat)

# Anything at all, in any order and with any times: what no Discord would send, and late entries.
moments = st.integers(0, 60).map(lambda it: START + it * 350) | st.sampled_from([START - 700_000, START - 1])
replay_starts = st.none() | moments
guild_ids, user_ids = st.just(GUILDS[0]), st.sampled_from(USERS[:2])
channel_ids = st.sampled_from([snowflake(START - 1_000, 1), snowflake(START + 2_000, 2)])
flags = st.sampled_from([0, 1, 8])
names = st.sampled_from(["a", "b", None])
connections = st.sampled_from(["c1", "c2"])
roles = st.sampled_from([None, (), (7,), (7, 8)])
bots = st.sampled_from([False, False, False, False, True])
beats = st.builds(
    Heartbeat, moments, st.tuples(st.builds(ShardBeat, st.just(0), connections, st.booleans(), moments))
)
states = st.lists(
    st.builds(VoiceState, user_ids, channel_ids, flags, names, bots, roles),
    max_size=2,
    unique_by=lambda it: it.user_id,
).map(tuple)
updates = st.builds(
    VoiceStateChanged,
    moments,
    guild_ids,
    user_ids,
    st.none() | channel_ids,
    flags,
    names,
    bots,
    roles,
    replay_starts,
)
snapshots = st.builds(
    GuildSnapshot, moments, guild_ids, connections, states, st.just((Channel(snowflake(START, 1), "Lounge"),))
)
soup = st.lists(
    updates
    | updates
    | snapshots
    | beats
    | st.builds(ChannelCreated, moments, guild_ids, channel_ids)
    | st.builds(ChannelDeleted, moments, guild_ids, channel_ids, replay_starts)
    | st.builds(MemberRemoved, moments, guild_ids, user_ids, replay_starts)
    | st.builds(RolesChanged, moments, guild_ids, user_ids, roles.filter(bool), replay_starts)
    | st.builds(GuildUnavailable, moments, guild_ids)
    | st.builds(GuildLost, moments, guild_ids),
    min_size=1,
    max_size=25,
).map(lambda inputs: [Entry("soup", seq, what) for seq, what in enumerate(inputs)])
cuts = st.lists(st.integers(1, 6), min_size=1, max_size=8)


def journal_of(history: list[Op]) -> list[Entry]:
    world = World()
    world.play(history)
    return world.journal


journals = gap_histories.map(journal_of) | soup
