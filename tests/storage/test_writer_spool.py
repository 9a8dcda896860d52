"""What the journal cannot take waits in memory, then on the disk; what finds no room is told."""

import subprocess
import sys
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from engine.storage.protocols import StorageError
from tests.storage.entries import drained, sent, taken, voice

GUILD = 1 << 22


@pytest.fixture
def nobody(tmp_path):
    """The url of a server that is not there."""
    return f"unix://{tmp_path}/nobody"


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
