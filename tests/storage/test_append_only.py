"""The append-only file, damaged in every way: the server starts, what is whole is kept, the rest is told."""

import os
import random
import re
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from engine import storage
from engine.domain.inputs import Entry, Heartbeat
from engine.storage.aof_mending import mended
from engine.storage.aof_scan import Kind, is_sound, parts
from engine.storage.journal import FIELD, RedisJournal, encode, stream_key
from engine.storage.redis_client import connect, pack
from engine.storage.writer import JournalWriter

ENTRIES = 200
AT = 1_790_000_000_000
LATEST = AT + 86_400_000
MUTATIONS = int(os.environ.get("ROLLCALL_MUTATIONS", "12"))


def entry(seq, source="life-1"):
    return encode(Entry(source, seq, Heartbeat(AT + seq)))


def xadd(number, *, at=None, stream=0, raw=None):
    """Return the command of an entry as the server writes it."""
    name = f"{AT + number if at is None else at}-0"
    return pack([("XADD", stream_key(stream), name, FIELD, entry(number) if raw is None else raw)])


def ids(data):
    return [it.id[0] - AT for it in parts(data) if it.kind is Kind.ENTRY]


def mend(data):
    found = mended(data, LATEST)
    text = b"".join(found.text(data))
    assert is_sound(text, LATEST)
    return found, text


@pytest.fixture
def server(make_server):
    return make_server()


def fill(server, entries=ENTRIES):
    """Start the server, have a writer append entries and other things be done, kill it; return its file."""
    server.start()
    writer = JournalWriter(server.url, "life-1", spool_path=server.folder / "spool")
    writer.start()
    with connect(server.url) as client:
        for number in range(entries):
            writer.append(Heartbeat(AT + number))
            if number % 10 == 0:
                client.hset("rollcall:live:1", number, b"\r\n*3\r\n$4\r\nXADD\r\n")
                client.set("rollcall:live:cursor:0", f"{number}-0", ex=100)
    writer.close()
    server.kill()
    return increment(server)


def increment(server):
    (file,) = server.embedded.dir.glob("appendonlydir/*.incr.aof")
    return file


def garbled(data):
    """Put garbage into an entry in the middle of the file: into its bytes, so that it is known as one."""
    entries = [it for it in parts(data) if it.kind is Kind.ENTRY]
    at = entries[len(entries) // 2].end - 5
    return data[:at] + b"garbage!!" + data[at:]


def seqs(server):
    with RedisJournalAt(server.url) as journal:
        return [it.entry.seq for it in journal.read("0-0", 10_000, 0) if it.entry is not None]


class RedisJournalAt:
    def __init__(self, url):
        self._journal = RedisJournal(url, 0)

    def __enter__(self):
        return self._journal

    def __exit__(self, *_):
        self._journal.close()


class TestScan:
    def test_what_the_server_writes_is_sound(self, server):
        data = fill(server).read_bytes()
        assert is_sound(data, LATEST * 2)
        found = list(parts(data))
        assert b"".join(data[it.start : it.end] for it in found) == data
        assert Kind.BROKEN not in {it.kind for it in found}
        assert sum(it.kind is Kind.ENTRY for it in found) == ENTRIES

    @pytest.mark.parametrize(
        ("spoil", "kept"),
        [
            (lambda data, at: data[:at] + b"garbage!!" + data[at:], [0, 1, 2, 3, 4, 5]),
            (lambda data, at: data[:at] + b"+" + data[at + 1 :], [0, 1, 2, 4, 5]),
            (lambda data, _: data.replace(b"-0", b"\0\0", 1), [1, 2, 3, 4, 5]),
            (lambda data, at: data[:at] + data[at:].replace(b"$4", b"$5", 1), [0, 1, 2, 4, 5]),
            (lambda data, at: data[:at] + data[at:].replace(b"XADD", b"XADE", 1), [0, 1, 2, 4, 5]),
            (lambda data, _: data + bytes(4096), [0, 1, 2, 3, 4, 5]),
            (lambda data, _: data[:-7], [0, 1, 2, 3, 4]),
            (lambda data, _: data + b"*3\r\n$4\r\nXADD\r\n", [0, 1, 2, 3, 4, 5]),
        ],
        ids=["inserted", "no array", "no id", "a length", "a name", "zeros", "torn", "half a command"],
    )
    def test_what_is_broken_costs_itself_and_nothing_that_follows(self, spoil, kept):
        commands = [xadd(number) for number in range(6)]
        data = spoil(b"".join(commands), len(b"".join(commands[:3])))
        assert not is_sound(data, LATEST)
        found, text = mend(data)
        assert ids(text) == kept
        assert len(text) + found.cut_bytes == len(data)
        assert found.cut_entries == 6 - len(kept)

    @pytest.mark.parametrize("wrong", [AT - 5, AT + 9_000, 7, LATEST + 1, 9 * AT])
    @pytest.mark.parametrize("place", [0, 3, 5])
    def test_an_id_out_of_order_is_put_in_order(self, wrong, place):
        data = b"".join(xadd(number, at=wrong if number == place else None) for number in range(6))
        found, text = mend(data)
        raws = [text[it.start : it.end].rpartition(b"$")[2] for it in parts(text)]
        assert raws == [xadd(number).rpartition(b"$")[2] for number in range(6)]
        # A first one that is early, or a last one that is late, is as good as any.
        assert found.renumbered == (is_sound(data, LATEST) is False)
        assert (found.cut_bytes, found.cut_entries) == (0, 0)

    def test_several_streams_are_each_in_an_order_of_their_own(self):
        data = b"".join(xadd(number, stream=stream) for stream in (0, 1) for number in range(3))
        assert is_sound(data, LATEST)

    def test_a_journal_that_was_emptied_may_begin_anew(self):
        assert is_sound(xadd(5) + pack([("FLUSHALL",)]) + xadd(1), LATEST)
        assert is_sound(xadd(5) + pack([("DEL", stream_key(0))]) + xadd(1), LATEST)
        assert not is_sound(xadd(5) + pack([("DEL", "rollcall:live:5")]) + xadd(1), LATEST)

    def test_an_unknown_command_is_left_to_the_server(self):
        data = pack([("GEOSEARCHSTORE", "a", "b")])
        assert is_sound(data, LATEST)

    def test_no_command_of_ours_is_taken_for_a_garbled_one(self):
        """MSET is but a letter from HSET."""
        sources = [it.read_text() for it in Path(storage.__file__).parent.glob("*.py")]
        names = {name for text in sources for name in re.findall(r'"([A-Z]{3,9})"', text)}
        assert {"MSET", "HSET", "XADD"} <= names
        assert [it for it in sorted(names) if not is_sound(pack([(it, "key", "value")]), LATEST)] == []

    def test_transactions_lose_their_marks_and_keep_what_is_in_them(self):
        multi, done = pack([("MULTI",)]), pack([("EXEC",)])
        mirror = pack([("HSET", "rollcall:live:1", "2", "x")])
        whole = multi + xadd(0) + mirror + done
        torn = multi + xadd(1) + mirror + xadd(2)[:-3]
        _, text = mend(whole + torn)
        assert text == xadd(0) + mirror + xadd(1)
        _, text = mend(whole.replace(b"EXEC", b"EXEX") + multi + xadd(1) + mirror + done)
        assert text == xadd(0) + mirror + xadd(1) + mirror


class TestRepair:
    @pytest.mark.parametrize(
        ("damage", "lost"),
        [
            (lambda data: data[:-7], 0),
            (lambda data: data + bytes(4096), 0),
            (garbled, 1),
            (lambda data: data.replace(b"$4\r\nXADD\r\n$18", b"$4\r\nXADE\r\n$18", 1), 1),
        ],
        ids=["torn tail", "zero tail", "garbage in the middle", "a name"],
    )
    def test_the_server_starts_with_all_that_is_whole_and_a_copy_stays(self, server, damage, lost):
        file = fill(server)
        damaged = damage(file.read_bytes())
        file.write_bytes(damaged)
        with capture_logs() as logs:
            server.start()
        assert len(seqs(server)) == ENTRIES - lost
        (told,) = logs
        assert (told["event"], told["damaged"], told["dropped"]) == (
            "append_only_file_repaired",
            [file.name],
            [],
        )
        assert told["cut_entries"] == lost
        (aside,) = server.embedded.dir.glob("appendonlydir.damaged-*")
        assert str(aside) == told["kept_as"]
        assert (aside / file.name).read_bytes() == damaged

    def test_damage_twice_leaves_two_copies(self, server):
        file = fill(server)
        for _ in range(2):
            file.write_bytes(file.read_bytes() + bytes(10))
            server.start()
            server.kill()
        assert len(list(server.embedded.dir.glob("appendonlydir.damaged-*"))) == 2
        assert len(seqs(server.start())) == ENTRIES

    def test_whole_files_are_not_touched(self, server):
        fill(server)
        files = {it: it.read_bytes() for it in server.embedded.dir.glob("appendonlydir/*")}
        with capture_logs() as logs:
            server.embedded.prepare()
        assert {it: it.read_bytes() for it in server.embedded.dir.glob("appendonlydir/*")} == files
        assert logs == []

    def test_a_damaged_snapshot_is_left_out_and_what_came_after_it_is_kept(self, server, eventually):
        fill(server)
        server.start()
        with connect(server.url) as client:
            client.bgrewriteaof()
            eventually(lambda: client.info("persistence")["aof_rewrite_in_progress"] == 0)
            for number in range(5):
                client.xadd(stream_key(0), {FIELD: entry(1_000 + number)})
        server.kill()
        (base,) = server.embedded.dir.glob("appendonlydir/*.base.rdb")
        data = bytearray(base.read_bytes())
        data[len(data) // 2] ^= 1
        base.write_bytes(data)
        with capture_logs() as logs:
            server.start()
        assert seqs(server) == [1_000, 1_001, 1_002, 1_003, 1_004]
        assert logs[0]["dropped"] == [base.name]
        (aside,) = server.embedded.dir.glob("appendonlydir.damaged-*")
        assert (aside / base.name).read_bytes() == data

    @pytest.mark.parametrize("text", [None, "", "file \0\n"])
    def test_a_manifest_that_is_gone_or_garbled_is_written_anew(self, server, text):
        file = fill(server)
        manifest = file.with_name("appendonly.aof.manifest")
        if text is None:
            manifest.unlink()
        else:
            manifest.write_text(text)
        server.start()
        assert len(seqs(server)) == ENTRIES
        assert list(server.embedded.dir.glob("appendonlydir.damaged-*"))

    @pytest.mark.parametrize("seed", range(MUTATIONS))
    def test_bytes_that_were_changed_anywhere_do_not_keep_the_server_from_starting(self, server, seed):
        chance = random.Random(seed)
        file = fill(server, entries=100)
        data = bytearray(file.read_bytes())
        for _ in range(chance.choice([1, 1, 1, 3])):
            length = chance.choice([1, 1, 1, 2, 64])
            at = chance.randrange(len(data) - length + 1)
            data[at : at + length] = chance.randbytes(length)
        file.write_bytes(data)
        server.start()
        found = seqs(server)
        assert found == sorted(found)
        assert len(found) >= 100 - 3 * 5
