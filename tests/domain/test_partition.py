"""What a partition lets in, the time it keeps, and what heartbeats tell of the gateway; ids."""

import pytest

from engine.domain import gateway, ids
from engine.domain.gateway import CONNECTIONS_PER_SHARD, Connection
from engine.domain.inputs import (
    Entry,
    GuildLost,
    GuildsKnown,
    Heartbeat,
    MemberRemoved,
    RolesChanged,
    ShardBeat,
    VoiceStateChanged,
)
from engine.domain.partition import PartitionState, admit
from engine.domain.rules import MEMORY_MS


def removed(at: int, guild_id: int = 1, user_id: int = 1) -> MemberRemoved:
    return MemberRemoved(at, guild_id, user_id)


def admitted(*entries: Entry, state: PartitionState | None = None, present: tuple[int, ...] = ()):
    numbered = [(entry, number) for number, entry in enumerate(entries)]
    return admit(state or PartitionState(), "7-0", numbered, present)


def test_an_entry_appended_twice_is_let_in_once_even_in_a_later_batch():
    entries = [Entry("a", 0, removed(10)), Entry("a", 1, removed(11)), Entry("a", 0, removed(10))]
    first = admitted(*entries)
    assert (len(first.shares[1]), first.duplicates) == (2, 1)
    second = admitted(Entry("a", 1, removed(11)), Entry("a", 2, removed(12)), state=first.state)
    assert ([what.at for what, *_ in second.shares[1]], second.duplicates) == ([12], 1)


def test_numbers_that_never_came_are_counted_as_missing():
    first = admitted(Entry("a", 3, removed(10)), Entry("b", 1, removed(10)), Entry("a", 4, removed(11)))
    assert first.missing == 2
    assert first.holes == [("a", 10)], "nothing was taken before"
    second = admitted(Entry("a", 4, removed(11)), Entry("a", 9, removed(12)), state=first.state)
    assert second.missing == 4
    assert second.holes == [("a", 11)], "since the last that was taken of it"
    assert second.duplicates == 1
    assert admitted(Entry("a", 9, removed(12)), Entry("b", 2, removed(13)), state=second.state).missing == 0


def test_nothing_is_certain_of_a_connection_whose_entries_are_missing_whatever_its_heartbeats_say():
    def beat(at, connection="a/0/1", *, connected=True):
        return Heartbeat(at, (ShardBeat(0, connection, connected, at),))

    before = admitted(Entry("a", 1, beat(10)), Entry("b", 1, removed(11)), Entry("a", 2, beat(20))).state
    after = admitted(
        Entry("b", 4, removed(25)), Entry("a", 5, beat(30)), Entry("a", 6, beat(40)), state=before
    )
    assert after.state.connections == {"a/0/1": Connection(0, 20, connected=True, doubted_at=20)}
    assert after.holes == [("b", 11)], "b has no connection"
    beats = [Entry("a", 7, beat(50, connected=False)), Entry("a", 8, beat(60, "a/0/2"))]
    renewed = admitted(*beats, state=after.state).state.connections
    assert renewed["a/0/1"] == Connection(0, 20, connected=False, doubted_at=20)
    assert renewed["a/0/2"] == Connection(0, 60, connected=True)


def test_what_was_lost_of_a_replay_is_in_doubt_since_the_loss_of_the_gateway():
    lost = Heartbeat(59_000, (ShardBeat(0, "a/0/1", connected=False, alive_at=10_000),))
    back = Heartbeat(61_000, (ShardBeat(0, "a/0/1", connected=True, alive_at=61_000),))
    after = admitted(Entry("a", 1, lost), Entry("a", 3, back)).state
    assert after.connections["a/0/1"].alive_at == 10_000


def test_each_source_counts_for_itself():
    admission = admitted(Entry("a", 5, removed(10)), Entry("b", 0, removed(10)))
    assert len(admission.shares[1]) == 2
    assert admission.state.sources == {"a": (5, 10), "b": (0, 10)}
    assert admission.sources_changed == {"a", "b"}


def test_a_source_that_said_nothing_new_is_not_written_again():
    first = admitted(Entry("a", 0, removed(10)))
    second = admitted(Entry("a", 0, removed(10)), Entry("b", 0, removed(10)), state=first.state)
    assert second.sources_changed == {"b"}


def test_time_never_runs_back():
    first = admitted(Entry("a", 0, removed(500)), Entry("b", 0, removed(300)))
    assert first.state.now == 500
    assert admitted(Entry("b", 1, removed(100)), state=first.state).state.now == 500


def test_a_late_entry_keeps_its_own_time():
    admission = admitted(Entry("a", 0, removed(5_000)), Entry("b", 0, removed(300)))
    assert [what.at for what, *_ in admission.shares[1]] == [5_000, 300]
    assert admission.late == 0


def test_an_entry_beyond_memory_takes_effect_at_its_edge():
    now = 10 * MEMORY_MS
    admission = admitted(
        Entry("a", 0, Heartbeat(now)),
        Entry("b", 0, removed(now - MEMORY_MS)),
        Entry("b", 1, removed(now - MEMORY_MS - 1)),
        Entry("b", 2, RolesChanged(0, 1, 1)),
    )
    assert [what.at for what, *_ in admission.shares[1]] == [now - MEMORY_MS] * 3
    assert admission.late == 2


def test_each_guild_gets_its_entries_in_order_with_the_record_they_came_from():
    entries = [Entry("a", seq, removed(seq, guild_id=1 + seq % 2)) for seq in range(6)]
    admission = admitted(*entries)
    assert {
        guild_id: [(what.at, record) for what, _, record, _ in share]
        for guild_id, share in admission.shares.items()
    } == {1: [(0, 0), (2, 2), (4, 4)], 2: [(1, 1), (3, 3), (5, 5)]}
    assert admission.state.cursor == "7-0"


def test_an_input_goes_with_the_connections_as_of_its_place():
    update = VoiceStateChanged(3, 1, 1, None)
    admission = admitted(
        Entry("a", 0, Heartbeat(1, (ShardBeat(0, "c", True, 1),))),
        Entry("a", 1, update),
        Entry("a", 2, Heartbeat(4, (ShardBeat(0, "c", False, 2),))),
        Entry("a", 3, update),
    )
    assert [beats["c"].alive_at for _, beats, *_ in admission.shares[1]] == [1, 2]
    assert admission.state.connections == {"c": Connection(0, 2, False)}


def test_admission_leaves_the_state_it_was_given_alone():
    state = admitted(Entry("a", 0, Heartbeat(1, (ShardBeat(0, "c", True, 1),)))).state
    sources, connections = dict(state.sources), dict(state.connections)
    admitted(Entry("a", 1, Heartbeat(2, (ShardBeat(0, "d", True, 2),))), state=state)
    assert (state.now, state.sources, state.connections) == (1, sources, connections)


def test_a_connection_was_lost_when_nothing_could_be_missed_any_more():
    connections = gateway.beat({}, (ShardBeat(0, "c1", True, 100),))
    connections = gateway.beat(connections, (ShardBeat(0, "c1", False, 90),))
    connections = gateway.beat(connections, (ShardBeat(0, "c2", True, 200),))
    assert gateway.lost_at(connections, "c1", "c2") == 90
    assert gateway.lost_at(connections, "c2", "c2") is None
    assert gateway.lost_at(connections, None, "c2") is None
    assert gateway.lost_at(connections, "forgotten", "c2") is None


def test_the_oldest_connections_of_a_shard_are_forgotten_and_no_others():
    connections = gateway.beat({}, (ShardBeat(1, "other", True, 1),))
    for number in range(CONNECTIONS_PER_SHARD + 3):
        connections = gateway.beat(connections, (ShardBeat(0, f"c{number}", True, number),))
    assert list(connections) == ["other", *(f"c{it}" for it in range(3, CONNECTIONS_PER_SHARD + 3))]


@pytest.mark.parametrize(
    ("shard", "known", "present", "lost"),
    [
        ((0, 1), (), (), ()),
        ((0, 1), (1, 2), (1, 2), ()),
        ((0, 1), (1, 2, 3), (1,), ()),
        ((0, 1), (1, 3), (1, 2, 3, 4), (2, 4)),
        ((0, 1), (), (1, 2), (1, 2)),
        ((0, 2), (2,), (1, 2, 3, 4), (4,)),
        ((1, 2), (), (1, 2, 3, 4), (1, 3)),
        ((2, 3), (2,), (1, 2, 3), ()),
    ],
)
def test_a_guild_is_lost_where_its_shard_knows_it_no_more(shard, known, present, lost):
    """The numbers stand for guilds, whose ids carry them where the shard formula looks."""
    told = GuildsKnown(9, "c2", *shard, tuple(it << 22 for it in known))
    missing = gateway.missing(told, [it << 22 for it in present])
    assert missing == [GuildLost(9, it << 22, None, "c2") for it in lost]


def test_a_guild_missing_on_a_new_connection_gets_its_loss_with_the_connections_and_the_record():
    beat = Entry("a", 0, Heartbeat(1, (ShardBeat(0, "c2", True, 1),)))
    known = Entry("a", 1, GuildsKnown(9, "c2", 0, 1, (1,)))
    admission = admitted(known, state=admitted(beat).state, present=(1, 2))
    assert admission.shares == {2: [(GuildLost(9, 2, None, "c2"), {"c2": Connection(0, 1, True)}, 0, 9)]}
    assert (admission.state.now, admission.sources_changed) == (9, {"a"})


def test_guilds_told_twice_are_missed_once():
    known = Entry("a", 1, GuildsKnown(9, "c2", 0, 1))
    state = admitted(known, present=(2,)).state
    again = admitted(known, state=state, present=(2,))
    assert (again.shares, again.duplicates) == ({}, 1)


def test_guilds_told_beyond_memory_are_missed_at_its_edge():
    now = 10 * MEMORY_MS
    state = admitted(Entry("a", 0, Heartbeat(now))).state
    admission = admitted(Entry("b", 0, GuildsKnown(5, "c2", 0, 1)), state=state, present=(2,))
    assert [(what.at, admission.late) for what, *_ in admission.shares[2]] == [(now - MEMORY_MS, 1)]


def test_a_snowflake_tells_when_it_was_made():
    # The example of Discord's documentation: 2016-04-30 11:18:25.796 UTC.
    assert ids.created_at(175928847299117063) == 1462015105796


def test_a_guild_has_the_partition_of_discords_shard_formula():
    assert ids.shard_of(5 << 22, 4) == ids.partition_of(5 << 22, 4) == 1
    assert ids.partition_of(175928847299117063, 1) == 0


def test_a_session_id_follows_from_the_facts_and_reads_back():
    key = ids.SessionKey(11, 22, 1_800_000_000_000)
    assert str(key) == "11-22-1800000000000"
    assert ids.parse_session_id(str(key)) == key


def test_who_is_forgotten_reads_so_and_reads_back():
    key = ids.SessionKey(11, -3, 1_800_000_000_000)
    assert (ids.person(-3), str(key)) == ("forgotten-3", "11-forgotten-3-1800000000000")
    assert ids.parse_session_id(str(key)) == key
    assert (ids.parse_person("22"), ids.parse_person("forgotten-3")) == (22, -3)


@pytest.mark.parametrize("text", ["", "-3", "forgotten-", "forgotten--3", "forgotten-x", "x-3", "\u00b2"])
def test_what_names_nobody_is_refused(text):
    with pytest.raises(ValueError, match="neither an id nor forgotten-1"):
        ids.parse_person(text)


@pytest.mark.parametrize("partitions", [1, 2, 5])
def test_pseudonyms_count_downwards_and_no_two_partitions_give_the_same(partitions):
    given = []
    for partition in range(partitions):
        lowest = 0
        for _ in range(4):
            given.append(following := ids.next_pseudonym(lowest, partition, partitions))
            assert following < lowest
            lowest = following
    assert sorted(given, reverse=True) == [-it for it in range(1, 4 * partitions + 1)]
    # Below another's, whoever gave that one away.
    assert ids.next_pseudonym(-7, 0, partitions) < -7


@pytest.mark.parametrize("text", ["", "1-2", "1-2-3-4", "1-2-x", "1--3", "-1-2-3", "1-2-3\n"])
def test_what_is_no_session_id_is_refused(text):
    with pytest.raises(ValueError, match="not a session id"):
        ids.parse_session_id(text)
