import subprocess
import sys
import threading
from contextlib import suppress
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from engine.domain.ids import partition_of
from engine.domain.inputs import GuildsKnown, Heartbeat, VoiceStateChanged
from engine.storage.journal import stream_key
from engine.storage.protocols import StorageError
from engine.storage.redis_client import connect

GUILD = 1 << 22


@pytest.fixture
def nobody(tmp_path):
    """The url of a server that is not there."""
    return f"unix://{tmp_path}/nobody"


@pytest.fixture
def read_all(make_journal):
    """Read a whole stream as (source, seq, at)."""

    def read(url, partition=0):
        journal = make_journal(url, partition)
        found, cursor = [], "0-0"
        while records := journal.read(cursor, 1_000, 0):
            found += [(it.entry.source, it.entry.seq, it.entry.input.at) for it in records]
            cursor = records[-1].journal_id
        return found

    return read


def voice(at, guild_id=GUILD):
    """Make an input that can be told from others by its moment."""
    return VoiceStateChanged(at, guild_id, user_id=7, channel_id=8)


def sent(count, source="life-1"):
    return [(source, number, number) for number in range(1, count + 1)]


def taken(entries):
    """Take entries as the partition does: what is not above the last seq of its source is dropped."""
    last, kept = {}, []
    for source, seq, at in entries:
        if seq > last.get(source, 0):
            last[source] = seq
            kept.append((source, seq, at))
    return kept


def drained(writer):
    return lambda: not (writer.stats().buffered or writer.stats().spooled)


class TestOrder:
    def test_entries_arrive_in_the_order_of_the_calls(self, make_writer, redis_url, read_all):
        writer = make_writer(redis_url)
        writer.start()
        for at in range(1, 1_001, 2):
            writer.append(voice(at), voice(at + 1))
        writer.close()
        assert read_all(redis_url) == sent(1_000)

    def test_each_entry_goes_to_the_partition_of_its_guild(self, make_writer, redis_url, read_all):
        writer = make_writer(redis_url, partitions=3)
        writer.start()
        guilds = [number << 22 for number in (1, 2, 3, 5, 9)]
        writer.append(*(voice(at, guild) for at, guild in enumerate(guilds)))
        writer.close()
        for partition in range(3):
            ats = [at for _, _, at in read_all(redis_url, partition)]
            assert ats == [at for at, guild in enumerate(guilds) if partition_of(guild, 3) == partition]

    @pytest.mark.parametrize("to_all", [Heartbeat(5), GuildsKnown(5, "c", 0, 1, (1 << 22,))])
    def test_what_concerns_all_goes_to_every_partition_with_a_seq_of_its_own(
        self, make_writer, redis_url, read_all, to_all
    ):
        writer = make_writer(redis_url, partitions=3)
        writer.start()
        writer.append(to_all)
        writer.append(to_all)
        writer.close()
        found = [entry for partition in range(3) for entry in read_all(redis_url, partition)]
        assert sorted(seq for _, seq, _ in found) == [1, 2, 3, 4, 5, 6]
        assert all(first < second for first, second in pairwise(read_all(redis_url, 1)))

    def test_threads_do_not_tear_one_call_apart(self, make_writer, redis_url, read_all):
        writer = make_writer(redis_url)
        writer.start()

        def append_pairs(start):
            for at in range(start, start + 200, 2):
                writer.append(voice(at), voice(at + 1))

        threads = [threading.Thread(target=append_pairs, args=(number * 1_000,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        writer.close()
        found = read_all(redis_url)
        assert [seq for _, seq, _ in found] == list(range(1, 801))
        assert all(found[i + 1][2] == found[i][2] + 1 for i in range(0, 800, 2))

    def test_an_input_that_cannot_be_encoded_takes_nothing_with_it(self, make_writer, redis_url, read_all):
        writer = make_writer(redis_url)
        writer.start()
        with pytest.raises(OverflowError):
            writer.append(voice(1), voice(2**70))
        writer.append(voice(1))
        writer.close()
        assert read_all(redis_url) == sent(1)


class TestOutage:
    def test_a_server_killed_under_the_writer_costs_nothing(
        self, make_server, make_writer, read_all, eventually
    ):
        server = make_server().start()
        writer = make_writer(server.url)
        writer.start()
        at = 0
        for _ in range(3):
            killer = threading.Timer(0.03, server.kill)
            killer.start()
            while killer.is_alive():
                at += 1
                writer.append(voice(at))
            killer.join()
            eventually(lambda: writer.stats().away_since_at)
            server.start()
        eventually(drained(writer))
        found = read_all(server.url)
        assert taken(found) == sent(at)

    def test_a_lost_reply_brings_the_same_source_and_seq_again(
        self, proxy, make_writer, redis_url, read_all, eventually
    ):
        writer = make_writer(proxy.url)
        writer.start()
        writer.append(voice(1))
        eventually(drained(writer))
        proxy.swallow_replies()
        writer.append(*map(voice, range(2, 6)))
        eventually(lambda: len(read_all(redis_url)) == 5)  # done, but the writer does not know
        proxy.cut()
        writer.append(voice(6))
        eventually(drained(writer))
        found = read_all(redis_url)
        assert taken(found) == sent(6)
        assert [seq for _, seq, _ in found[:9]] == [1, 2, 3, 4, 5, 2, 3, 4, 5]
        assert writer.stats().resent == 4

    @pytest.mark.parametrize("setting", ["maxmemory 1", "min-replicas-to-write 1", "replicaof 127.0.0.1 1"])
    def test_a_server_that_refuses_writes_counts_as_away(
        self, make_server, make_writer, read_all, eventually, setting
    ):
        server = make_server().start()
        writer = make_writer(server.url)
        writer.start()
        writer.append(voice(1))
        eventually(drained(writer))
        name, *values = setting.split()
        with connect(server.url) as client:
            refuse = ("CONFIG", "SET", name, *values) if name != "replicaof" else (name, *values)
            client.execute_command(*refuse)
            writer.append(voice(2), voice(3))
            eventually(lambda: writer.stats().away_since_at)
            writer.append(voice(4))
            client.execute_command(
                *(("CONFIG", "SET", name, 0) if name != "replicaof" else (name, "no", "one"))
            )
        eventually(drained(writer))
        eventually(lambda: writer.stats().connected_since_at)
        assert read_all(server.url) == sent(4)

    def test_a_refusal_in_the_middle_of_a_batch_leaves_nothing_of_it(
        self, make_writer, redis_url, client, read_all, eventually
    ):
        # The second partition's stream cannot be written; the first one's half of the batch must wait for it,
        # or what follows would overtake what was refused.
        client.execute_command("ACL", "SETUSER", "half", "on", ">secret", "~rollcall:journal:0", "+@all")
        url = redis_url.replace("unix://", "unix://half@") + "?password=secret"
        writer = make_writer(url, partitions=2)
        writer.start()
        writer.append(voice(1, 2 << 22), voice(2, 1 << 22), voice(3, 2 << 22))
        eventually(lambda: "Redis at" in writer.stats().away_reason)
        assert client.xlen(stream_key(0)) == 0
        assert "secret" not in writer.stats().away_reason
        client.execute_command("ACL", "SETUSER", "half", "~*")
        eventually(drained(writer))
        client.execute_command("ACL", "DELUSER", "half")
        assert [at for _, _, at in read_all(redis_url, 0)] == [1, 3]

    def test_an_outage_is_told_once_and_its_end_too(self, make_server, make_writer, eventually):
        server = make_server()
        writer = make_writer(server.url)
        with capture_logs() as logs:
            writer.start()
            writer.append(voice(1))
            eventually(lambda: writer.stats().away_reason.startswith("Redis at"))
            server.start()
            eventually(drained(writer))
            eventually(lambda: writer.stats().connected_since_at)
        events = [it["event"] for it in logs if it["event"].startswith("journal")]
        assert events == ["journal_away", "journal_back"]


class TestSpool:
    def test_memory_first_then_the_spool_and_then_all_in_order(
        self, make_server, make_writer, read_all, eventually
    ):
        server = make_server()
        writer = make_writer(server.url, memory_max_entries=50)
        writer.start()
        for at in range(1, 1_001):
            writer.append(voice(at))
        eventually(lambda: writer.stats().spooled >= 900)
        assert writer.stats().spooled + writer.stats().buffered == 1_000
        server.start()
        writer.append(voice(1_001))
        eventually(drained(writer))
        assert taken(read_all(server.url)) == sent(1_001)

    def test_a_long_outage_brings_memory_to_the_disk(self, nobody, make_writer, eventually, monkeypatch):
        monkeypatch.setattr("engine.storage.writer.SPILL_AFTER_S", 0.0)
        writer = make_writer(nobody)
        writer.start()
        writer.append(voice(1), voice(2))
        eventually(lambda: writer.stats().spooled == 2)
        assert writer.stats().buffered == 0

    def test_the_spool_survives_a_killed_writer(self, nobody, make_writer, redis_url, read_all, tmp_path):
        code = f"""
import os, signal
from pathlib import Path
from engine.domain.inputs import VoiceStateChanged
from engine.storage.writer import JournalWriter
spool = Path({str(tmp_path / "spool")!r})
writer = JournalWriter({nobody!r}, "life-1", spool_path=spool, memory_max_entries=0)
writer.start()
for at in range(1, 301):
    writer.append(VoiceStateChanged(at, {GUILD}, 7, 8))
while writer.stats().spooled < 300:
    pass
os.kill(os.getpid(), signal.SIGKILL)
"""
        assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == -9
        writer = make_writer(redis_url, "life-2")
        writer.append(voice(1))
        writer.start()
        writer.close()
        assert read_all(redis_url) == [*sent(300), *sent(1, "life-2")]

    def test_what_close_cannot_send_is_sent_by_the_next_life(self, nobody, make_writer, redis_url, read_all):
        first = make_writer(nobody)
        first.start()
        first.append(*map(voice, range(1, 11)))
        first.close()
        assert first.stats().spooled == 10
        second = make_writer(redis_url, "life-2")
        second.start()
        second.append(voice(1))
        second.close()
        assert read_all(redis_url) == [*sent(10), *sent(1, "life-2")]

    def test_when_all_is_full_the_caller_is_told_and_nothing_is_reordered(
        self, make_server, make_writer, read_all, eventually
    ):
        server = make_server()
        writer = make_writer(server.url, memory_max_entries=20, spool_max_bytes=2_000)
        writer.start()
        accepted = 0
        with capture_logs() as logs:
            while not writer.stats().refused:
                with suppress(StorageError):
                    writer.append(voice(accepted + 1))
                    accepted += 1
                eventually(lambda: writer.stats().buffered <= 20)
            with pytest.raises(StorageError, match=r"raise storage\.spool_max_mb"):
                writer.append(voice(accepted + 1))
            assert writer.stats().spool_bytes <= 2_000
            server.start()
            eventually(drained(writer))
        assert [it["event"] for it in logs].count("spool_full") == 1
        writer.append(voice(accepted + 1))
        eventually(drained(writer))
        assert taken(read_all(server.url)) == sent(accepted + 1)

    def test_a_disk_that_was_full_is_used_again_when_it_has_room(
        self, nobody, make_writer, eventually, monkeypatch
    ):
        def full_disk(_fd):
            raise OSError(28, "No space left on device")

        writer = make_writer(nobody, memory_max_entries=5)
        monkeypatch.setattr("os.fsync", full_disk)
        monkeypatch.setattr("engine.storage.writer.SPILL_AFTER_S", 0.0)
        writer.start()
        with capture_logs() as logs:
            writer.append(*map(voice, range(1, 11)))
            eventually(lambda: any(it["event"] == "spool_full" for it in logs))
            assert writer.stats().buffered == 10
            with pytest.raises(StorageError, match="full"):
                writer.append(voice(11))
            monkeypatch.undo()
            eventually(lambda: writer.stats().spooled == 10)
            writer.append(voice(11))

    def test_what_is_spooled_for_a_partition_that_is_no_more_holds_up_nobody(
        self, nobody, make_writer, redis_url, read_all, eventually
    ):
        first = make_writer(nobody, partitions=4)
        first.append(voice(1, 3 << 22))
        first.close()
        second = make_writer(redis_url, "life-2")
        second.start()
        second.append(voice(2))
        eventually(drained(second))
        assert read_all(redis_url) == [("life-2", 1, 2)]
        assert len(read_all(redis_url, partition=3)) == 1

    def test_what_found_no_room_at_the_end_is_counted_aloud(self, nobody, make_writer):
        writer = make_writer(nobody, spool_max_bytes=200)
        with capture_logs() as logs:
            writer.append(*map(voice, range(1, 101)))
            writer.close()
        (lost,) = [it for it in logs if it["event"] == "journal_entries_lost"]
        assert lost["entries"] == 100 - writer.stats().spooled > 0

    def test_a_closed_writer_takes_nothing(self, make_writer, redis_url):
        writer = make_writer(redis_url)
        writer.start()
        writer.close()
        with pytest.raises(StorageError, match="closed"):
            writer.append(voice(1))
