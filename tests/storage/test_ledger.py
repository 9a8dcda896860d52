"""What every ledger promises. Another back-end proves itself by a subclass with its own ``open_ledger``."""

import msgspec.msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.domain.effects import (
    DropSession,
    DropSpans,
    PostMessage,
    SaveGuild,
    SaveSession,
    SaveSpan,
    SettleOutbox,
    Status,
)
from engine.domain.gateway import Connection
from engine.domain.guild import GuildState
from engine.domain.partition import START, PartitionState
from engine.domain.rules import MEMORY_MS
from engine.domain.sessions import Session
from engine.storage.ledger import PRUNE_EVERY_MS, SOURCE_MEMORY_MS, SqlLedger
from engine.storage.protocols import DeadLetter, StorageBusy, StorageError
from tests.storage.guild_oracle import Oracle
from tests.storage.ledgers import CHANNEL, GUILD, USER, Contract, OnSqlite, T, Writer

SESSION = Session(USER, CHANNEL, joined_at=T, flags=0, span_at=T, chain_at=T)
OPEN = SaveSession(GUILD, SESSION, at=T)


class LedgerContract(Contract):
    def test_a_new_ledger_stands_at_the_start_and_knows_no_guild(self, ledger):
        assert ledger.load_partition() == PartitionState(cursor=START)
        assert ledger.load_guild(GUILD, T) == GuildState(GUILD)
        assert list(ledger.open_sessions()) == []
        assert ledger.pending_outbox(10) == []

    def test_effects_and_cursor_are_there_for_the_next_life(self, open_ledger, writer):
        doubted = Connection(0, T + 5, connected=True, doubted_at=T + 5)
        connections = {"b": Connection(1, T, connected=False), "a": doubted}
        writer.write(
            OPEN,
            now=T + 5,
            sources={"ingest": (9, T)},
            sources_changed={"ingest"},
            connections=connections,
            connections_changed=True,
        )
        reopened = open_ledger()
        loaded = reopened.load_partition()
        assert loaded == writer.state
        assert list(loaded.connections) == ["b", "a"]  # the order of first sight tells which to forget
        assert reopened.load_guild(GUILD, T).sessions == {USER: SESSION}

    def test_a_commit_that_took_effect_before_is_recognised(self, ledger, writer):
        first = writer.write(OPEN)
        ledger.commit(first)
        assert ledger.load_partition() == first.state
        assert ledger.load_guild(GUILD, T).sessions == {USER: SESSION}

    def test_it_names_the_guilds_that_the_bot_is_in(self, open_ledger, writer):
        facts = ("name", None, "life/0/1", T, None)
        writer.write(*(SaveGuild(it, *facts, present=it != 2, own_user_id=None, at=T) for it in (3, 2, 1)))
        writer.write(SaveGuild(4, *facts, present=True, own_user_id=None, at=T), OPEN)
        assert writer.ledger.present_guilds() == [1, 3, 4]
        writer.write(SaveGuild(3, *facts, present=False, own_user_id=None, at=T))
        assert open_ledger().present_guilds() == [1, 4]

    def test_a_second_engine_is_refused_and_writes_nothing(self, open_ledger, writer):
        other = Writer(open_ledger())
        writer.write()
        writer.write()
        with pytest.raises(StorageError, match="two engines") as refused:
            other.write(OPEN)
        assert not isinstance(refused.value, StorageBusy)
        assert "\n" not in str(refused.value)
        assert other.ledger.load_guild(GUILD, T).sessions == {}

    def test_of_several_saves_in_one_commit_the_last_holds(self, ledger, writer):
        cut = replace(SESSION, flags=3, span_at=T + 40)
        writer.write(OPEN, SaveSession(GUILD, cut, at=T + 40))
        assert ledger.load_guild(GUILD, T).sessions == {USER: cut}

    @pytest.mark.parametrize("roles", [(), (1,), (2, 1 << 60, 2**63 - 1)])
    @pytest.mark.parametrize("before", [(), (5, 6)])
    def test_a_session_holds_the_roles_of_its_last_save(self, ledger, writer, before, roles):
        writer.write(SaveSession(GUILD, replace(SESSION, roles=before), at=T))
        writer.write(SaveSession(GUILD, replace(SESSION, roles=roles), at=T))
        assert ledger.load_guild(GUILD, T).sessions == {USER: replace(SESSION, roles=roles)}

    def test_of_spans_saved_twice_in_one_commit_the_last_holds(self, ledger, writer):
        span = SaveSpan(GUILD, USER, T, T, T + 5, 3, (9,))
        writer.write(OPEN, span, replace(span, flags=1, roles=()))
        assert self.spans(ledger) == [(GUILD, USER, T, T, T + 5, 1)]

    @pytest.mark.parametrize("commits", [1, 2, 3])
    def test_a_dropped_session_leaves_nothing_in_however_many_commits(self, ledger, writer, commits):
        effects = [OPEN, SaveSpan(GUILD, USER, T, T, T + 5, 0), DropSession(GUILD, USER, T, at=T + 9)]
        for part in {1: [effects], 2: [effects[:2], effects[2:]], 3: [[it] for it in effects]}[commits]:
            writer.write(*part)
        assert ledger.load_guild(GUILD, T) == GuildState(GUILD)
        assert self.spans(ledger) == []

    def test_what_follows_a_drop_under_the_same_key_stays(self, ledger, writer):
        writer.write(OPEN, SaveSpan(GUILD, USER, T, T, T + 5, 1))
        again = replace(SESSION, channel_id=71)
        writer.write(
            DropSession(GUILD, USER, T, at=T + 9),
            SaveSession(GUILD, again, at=T),
            SaveSpan(GUILD, USER, T, T, T + 9, 0),
        )
        assert ledger.load_guild(GUILD, T).sessions == {USER: again}
        assert self.spans(ledger) == [(GUILD, USER, T, T, T + 9, 0)]

    @pytest.mark.parametrize("commits", [1, 2])
    def test_spans_taken_back_end_where_the_session_does(self, ledger, writer, commits):
        spans = [SaveSpan(GUILD, USER, T, T + start, T + start + 10, start) for start in (0, 10, 20)]
        closed = SaveSession(GUILD, SESSION, T + 30, left_at=T + 15, status=Status.COMPLETED)
        told, taken_back = [OPEN, *spans], [DropSpans(GUILD, USER, T, T + 15), closed]
        for part in {1: [told + taken_back], 2: [told, taken_back]}[commits]:
            writer.write(*part)
        assert self.spans(ledger) == [(GUILD, USER, T, T, T + 10, 0), (GUILD, USER, T, T + 10, T + 15, 10)]

    def test_dead_letters_are_kept_whole(self, ledger, writer):
        letter = DeadLetter("5-1", None, b"\x00\xff", "checksum", T)
        writer.write(dead_letters=[letter, letter._replace(journal_id="5-2", guild_id=GUILD)])
        assert self.dead_letters(ledger) == [letter, letter._replace(journal_id="5-2", guild_id=GUILD)]

    def test_an_outbox_effect_is_pending_until_settled_and_never_comes_back(self, ledger, writer):
        first, second = (PostMessage(f"o{n}", GUILD, CHANNEL, "text", T + n) for n in range(2))
        writer.write(second, first)
        assert ledger.pending_outbox(10) == [first, second]
        assert ledger.pending_outbox(1) == [first]
        writer.write(SettleOutbox("o0", ok=False, detail="403", at=T + 9))
        writer.write(first)  # a replay
        assert ledger.pending_outbox(10) == [second]

    def test_old_sources_are_forgotten_but_never_the_last_two(self, ledger, writer):
        sources = {f"life-{n}": (n, T + n) for n in range(4)}
        writer.write(sources=sources, sources_changed=set(sources))
        later = T + SOURCE_MEMORY_MS + PRUNE_EVERY_MS
        writer.write(now=later)
        assert list(ledger.load_partition().sources) == ["life-2", "life-3"]

    def test_forgotten_connections_go(self, ledger, writer):
        one = Connection(0, T, connected=True)
        writer.write(connections={"a": one, "b": one}, connections_changed=True)
        writer.write(connections={"b": one}, connections_changed=True)
        assert ledger.load_partition().connections == {"b": one}

    def test_open_sessions_come_guild_by_guild(self, ledger, writer):
        others = [SaveSession(g << 22, replace(SESSION, user_id=u), at=T) for g in (3, 2) for u in (1, 2)]
        closed = SaveSession(9 << 22, SESSION, at=T, left_at=T + 5, status=Status.COMPLETED)
        writer.write(*others, closed)
        found = list(ledger.open_sessions())
        assert [guild_id >> 22 for guild_id, _ in found] == [2, 3]
        value = [CHANNEL, T, 0, T]
        assert [[(u, msgspec.msgpack.decode(v)) for u, v in rows] for _, rows in found] == [
            [(1, value), (2, value)],
            [(1, value), (2, value)],
        ]

    def test_partitions_share_a_ledger_and_nothing_else(self, open_ledger):
        even, odd = (Writer(open_ledger(number, 2)) for number in (0, 1))
        even.write(SaveSession(2 << 22, SESSION, at=T), PostMessage("a", 2 << 22, 1, "", T))
        odd.write(SaveSession(3 << 22, SESSION, at=T), PostMessage("b", 3 << 22, 1, "", T), now=T + 1)
        odd.write(now=T + 2)
        assert [guild for guild, _ in even.ledger.open_sessions()] == [2 << 22]
        assert [it.outbox_id for it in odd.ledger.pending_outbox(5)] == ["b"]
        known = {"name": "", "afk_channel_id": None, "connection": "c", "confirmed_at": T, "lost_at": None}
        odd.write(
            *(SaveGuild(it << 22, **known, present=True, own_user_id=None, at=T) for it in (4, 5)), now=T + 2
        )
        assert (even.ledger.present_guilds(), odd.ledger.present_guilds()) == ([4 << 22], [5 << 22])
        assert even.ledger.load_partition() == even.state
        assert odd.ledger.load_partition() == odd.state

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.data())
    def test_a_guild_is_loaded_exactly_as_it_was_left(self, open_ledger, data):
        oracle = Oracle()
        writer = Writer(open_ledger(fresh=True))
        for _ in range(data.draw(st.integers(1, 5), label="commits")):
            effects = [
                data.draw(st.sampled_from(oracle.moves()))() for _ in range(data.draw(st.integers(0, 8)))
            ]
            oracle.now += data.draw(st.sampled_from([0, 1, 900, MEMORY_MS // 2, MEMORY_MS]))
            writer.write(*(it for some in effects for it in some), now=oracle.now)
        for guild_id in oracle.GUILDS:
            loaded = writer.ledger.load_guild(guild_id, oracle.now)
            assert loaded == oracle.guild(guild_id)
            assert list(loaded.left.values()) == sorted(loaded.left.values())
        assert sorted(self.spans(writer.ledger)) == sorted(oracle.spans)

    # What a back-end's tests must be able to look up.

    def spans(self, ledger) -> list[tuple]:
        raise NotImplementedError

    def dead_letters(self, ledger) -> list[DeadLetter]:
        raise NotImplementedError


class TestSqlLedger(OnSqlite, LedgerContract):
    def spans(self, ledger):
        return self.rows(ledger, "SELECT guild_id, user_id, joined_at, started_at, ended_at, flags FROM span")

    def dead_letters(self, ledger):
        sql = "SELECT journal_id, guild_id, raw, reason, at FROM deadletter ORDER BY journal_id"
        return [DeadLetter(*row) for row in self.rows(ledger, sql)]

    def test_a_closed_ledger_is_one_file(self, tmp_path):
        """Whoever copies it then has all of it."""
        ledgers = [SqlLedger(tmp_path / "rollcall.db", number, partitions=2) for number in (0, 1)]
        Writer(ledgers[0]).write(OPEN)
        for ledger in ledgers:
            ledger.close()
        assert [it.name for it in tmp_path.iterdir()] == ["rollcall.db"]
