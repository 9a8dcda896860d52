import random
import threading
import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.inputs import (
    Channel,
    Entry,
    GuildSnapshot,
    Heartbeat,
    ShardBeat,
    VoiceState,
    VoiceStateChanged,
)
from engine.storage.journal import CorruptEntry, decode, encode, latest_at, stream_key
from engine.storage.redis_client import connect

GUILD = 1 << 22


def entry(seq=1, at=1_000):
    return Entry("life-1", seq, VoiceStateChanged(at, GUILD, 7, 8, flags=3))


def add(client, *entries, first_id=None):
    """Append entries; with ``first_id`` under ids that count up from that millisecond."""
    pipeline = client.pipeline()
    for number, it in enumerate(entries):
        raw = it if isinstance(it, bytes) else encode(it)
        pipeline.xadd(stream_key(0), {b"e": raw}, id="*" if first_id is None else f"{first_id + number}-0")
    return [journal_id.decode() for journal_id in pipeline.execute()]


class TestCodec:
    @pytest.mark.parametrize(
        "it",
        [
            VoiceStateChanged(1, GUILD, 2**63, None, 5, "abc", bot=True, roles=(1, 2), replayed_from=1),
            GuildSnapshot(
                5,
                GUILD,
                "c",
                (VoiceState(1, 2, 3, "g", roles=(4,)),),
                (Channel(2, "é", 13),),
                afk_channel_id=9,
            ),
            Heartbeat(7, (ShardBeat(0, "c", connected=True, alive_at=7),)),
        ],
    )
    def test_what_was_encoded_comes_back_equal(self, it):
        assert decode(encode(Entry("life", 9, it))) == Entry("life", 9, it)

    @given(st.integers(0), st.integers(1, 255))
    def test_one_changed_byte_never_goes_unnoticed(self, position, change):
        raw = bytearray(encode(entry()))
        raw[position % len(raw)] ^= change
        with pytest.raises(CorruptEntry):
            decode(bytes(raw))

    @given(st.binary(max_size=60))
    def test_noise_is_corrupt_whatever_its_checksum(self, noise):
        for raw in (noise, checked(noise)):
            with pytest.raises(CorruptEntry):
                decode(raw)

    @pytest.mark.parametrize(
        "payload",
        [["s", 1], ["s", "1", [12, 5]], ["s", 1, [99, 5]], ["s", 1, [12]], {"source": "s"}, ["s", 1, None]],
    )
    def test_wrong_shapes_with_a_right_checksum_are_corrupt(self, payload):
        with pytest.raises(CorruptEntry, match="not a journal entry"):
            decode(checked(msgspec.msgpack.encode(payload)))

    def test_text_that_is_no_utf8_is_corrupt(self):
        with pytest.raises(CorruptEntry):
            decode(checked(encode(entry())[4:].replace(b"life-1", b"life\xff1")))

    def test_a_later_version_may_add_a_field(self):
        later = msgspec.msgpack.encode(["s", 1, [12, 5, [], "new"], "new"])
        assert decode(checked(later)) == Entry("s", 1, Heartbeat(5))


def checked(payload):
    """Put the right checksum before any payload."""
    return zlib.crc32(payload).to_bytes(4, "big") + payload


class TestRead:
    def test_records_come_in_order_after_the_cursor(self, journal, client):
        ids = add(client, *(entry(seq) for seq in range(1, 6)))
        records = journal.read(ids[1], 2, 0)
        assert [(it.journal_id, it.entry.seq, it.error) for it in records] == [
            (ids[2], 3, ""),
            (ids[3], 4, ""),
        ]
        assert records[0].raw == encode(entry(3))

    def test_an_empty_journal_gives_nothing(self, journal):
        assert journal.read("0-0", 10, 0) == []
        assert journal.read("0-0", 10, 5) == []

    def test_a_reader_waits_for_the_first_entry(self, journal, make_writer, redis_url):
        writer = make_writer(redis_url)
        threading.Timer(0.05, writer.start).start()
        writer.append(Heartbeat(1))
        assert [it.entry.input.at for it in journal.read("0-0", 10, 60_000)] == [1]

    def test_a_block_longer_than_the_timeout_is_cut_short(self, journal, monkeypatch):
        monkeypatch.setattr("engine.storage.journal.BLOCK_MAX_MS", 20)
        assert journal.read("0-0", 10, 60_000) == []

    def test_what_cannot_be_decoded_is_a_record_that_says_so(self, journal, client):
        garbled = encode(entry(2))[:-1] + b"\x7f"
        ids = add(client, entry(1), garbled, b"", entry(3))
        client.xadd(stream_key(0), {b"other": b"thing", b"more": b"x"})
        records = journal.read("0-0", 10, 0)
        assert [it.entry and it.entry.seq for it in records] == [1, None, None, 3, None]
        assert records[1].journal_id == ids[1]
        assert records[1].raw == garbled
        assert records[1].error == "the checksum does not match"
        assert b"thing" in records[4].raw

    def test_an_absent_server_is_a_connection_error(self, make_journal, tmp_path):
        journal = make_journal(f"unix://{tmp_path}/nobody")
        for call in (lambda: journal.read("0-0", 1, 0), journal.last_id, journal.length):
            with pytest.raises(ConnectionError, match="nobody"):
                call()
        with pytest.raises(ConnectionError):
            journal.lag("0-0")
        with pytest.raises(ConnectionError):
            journal.trim("0-0", 0)

    def test_a_reader_survives_a_restart_of_its_server(self, make_server, make_journal):
        server = make_server().start()
        journal = make_journal(server.url)
        with connect(server.url) as client:
            add(client, entry(1))
        assert len(journal.read("0-0", 10, 0)) == 1
        server.kill()
        with pytest.raises(ConnectionError):
            journal.read("0-0", 10, 0)
        server.start()
        assert len(journal.read("0-0", 10, 0)) == 1


class TestLook:
    def test_the_last_id_outlives_its_entry(self, journal, client):
        assert journal.last_id() == "0-0"
        ids = add(client, entry(1), entry(2))
        client.xtrim(stream_key(0), maxlen=0, approximate=False)
        assert journal.last_id() == ids[-1]
        assert journal.length() == 0
        assert journal.lag("0-0") == 0

    def test_an_entry_is_found_by_its_id_while_it_is_kept(self, journal, client):
        assert journal.entry_at("1000-0") is None
        ids = add(client, entry(1), entry(2), first_id=1_000)
        found = journal.entry_at(ids[1])
        assert (found.journal_id, found.entry.seq) == (ids[1], 2)
        journal.trim(ids[1], now=10**15)
        assert [journal.entry_at(it) is None for it in ids] == [True, False]

    def test_the_lag_counts_what_lies_behind_the_cursor(self, journal, client):
        ids = add(client, *(entry(seq) for seq in range(1, 8)), first_id=1_000)
        assert [journal.lag(it) for it in ("0-0", ids[0], ids[4], ids[6], "9999999-0")] == [7, 6, 2, 0, 0]

    def test_a_long_lag_is_estimated(self, journal, client, monkeypatch):
        monkeypatch.setattr("engine.storage.journal.LAG_COUNTED", 10)
        add(client, *(entry(seq) for seq in range(1, 201)), first_id=1_000)
        assert journal.lag("1099-0") == pytest.approx(100, abs=5)
        assert journal.lag("1191-0") == 8

    def test_the_latest_moment_is_that_of_the_last_readable_entries(self, redis_url, client):
        assert latest_at(redis_url, 0) == 0
        add(client, entry(1, at=5_000), entry(2, at=4_990), b"garbled")
        client.xadd(stream_key(0), {b"other": b"thing"})
        assert latest_at(redis_url, 0) == 5_000


class TestTrim:
    def test_retention_removes_what_is_older(self, client, redis_url, make_journal):
        journal = make_journal(redis_url, retention_ms=100)
        add(client, *(entry(seq) for seq in range(1, 301)), first_id=1_000)
        assert journal.trim("1299-0", now=1_350) == 250
        assert journal.read("0-0", 1, 0)[0].journal_id == "1250-0"

    def test_nothing_goes_that_is_not_committed(self, client, redis_url, make_journal):
        journal = make_journal(redis_url, retention_ms=0, max_entries=10)
        add(client, *(entry(seq) for seq in range(1, 501)), first_id=1_000)
        for committed in ("0-0", "1000-0", "1123-0", "1250-0"):
            journal.trim(committed, now=10**12)
            assert journal.lag(committed) == 500 - max(int(committed[:-2]) - 999, 0)

    def test_what_the_newest_backup_needs_outlasts_the_retention_but_not_the_cap(
        self, client, redis_url, make_journal
    ):
        needed = ["0-0"]
        journal = make_journal(redis_url, retention_ms=100, max_entries=400, needed_after=lambda: needed[0])
        add(client, *(entry(seq) for seq in range(1, 401)), first_id=1_000)
        assert journal.trim("1399-0", now=5_000) == 0
        needed[0] = "1250-0"
        journal.trim("1399-0", now=5_000)
        assert journal.read("0-0", 1, 0)[0].journal_id == "1250-0"
        needed[0] = "1399-0"
        assert journal.trim("1399-0", now=1_450) == 100
        needed[0] = "0-0"
        add(client, *(entry(seq) for seq in range(401, 1_001)), first_id=1_400)
        journal.trim("1999-0", now=2_000)
        assert journal.length() < 500

    def test_the_cap_holds_to_within_a_node(self, client, redis_url, make_journal):
        journal = make_journal(redis_url, retention_ms=10**12, max_entries=1_000)
        add(client, *(entry(seq) for seq in range(1, 2_001)), first_id=1_000)
        removed = journal.trim("2999-0", now=3_000)
        assert 1_000 <= journal.length() < 1_100
        assert removed == 2_000 - journal.length()

    def test_random_trims_keep_every_uncommitted_entry(self, client, redis_url, make_journal):
        chance = random.Random(5)
        add(client, *(entry(seq) for seq in range(1, 601)), first_id=1_000)
        committed = 999
        for _ in range(30):
            committed = min(committed + chance.randrange(40), 1_599)
            journal = make_journal(
                redis_url, retention_ms=chance.randrange(500), max_entries=chance.randrange(1, 400)
            )
            journal.trim(f"{committed}-0", now=committed + chance.randrange(1_000))
            left = [int(it.journal_id[:-2]) for it in journal.read(f"{committed}-0", 1_000, 0)]
            assert left == list(range(committed + 1, 1_600))
