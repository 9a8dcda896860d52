"""A damaged ledger is put aside and built anew: from backups, from the journal; and what is lost is told."""

import json
import os
import random
import shutil
from contextlib import closing

import pytest
from structlog.testing import capture_logs

from engine.domain.inputs import Entry, Heartbeat
from engine.storage.backup import Standing, back_up, new_name, reading, standings
from engine.storage.journal import FIELD, encode, stream_key
from engine.storage.journal_gap import Gap, gap_behind
from engine.storage.ledger import SqlLedger
from engine.storage.protocols import StorageError, StorageUnfit
from engine.storage.recovery import last_report, recover
from tests.storage.ledger_files import GUILDS, commit_of, make_ledger, page_of, rows_of, zero_page

AT = 1_790_000_000_000
MUTATIONS = int(os.environ.get("ROLLCALL_MUTATIONS", "25"))


def no_gaps(_standings):
    return []


@pytest.fixture
def ledger(tmp_path):
    return make_ledger(tmp_path / "rollcall.db", commits=12)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "backups"


@pytest.fixture
def whole(ledger):
    return rows_of(ledger)


def backed_up(ledger, folder, at):
    return back_up(ledger, new_name(folder, at), at).path


def go_on(ledger, first, last):
    with closing(SqlLedger(ledger, 0)) as writer:
        for number in range(first, last + 1):
            writer.commit(commit_of(number))


def read_all(ledger):
    """Read what an engine reads."""
    with closing(SqlLedger(ledger, 0)) as reader:
        reader.load_partition()
        assert sum(len(reader.load_guild(guild_id, 12).sessions) for guild_id in range(GUILDS + 1)) > 0
        assert (reader.open_events(), reader.subjects(), reader.players()) == ([], [], [])
        reader.pending_outbox(10)


def put_aside(ledger):
    """Return the damaged ledgers, without their logs."""
    found = ledger.parent.glob("rollcall.db.damaged-*")
    return sorted(it for it in found if not it.name.endswith(("-wal", "-shm")))


def spoil(ledger):
    zero_page(ledger, page_of(ledger, "session"))
    return ledger.read_bytes()


def test_a_sound_ledger_stays_as_it_is(ledger, folder, whole):
    backed_up(ledger, folder, AT)
    assert not recover(ledger, folder, no_gaps, AT)
    assert rows_of(ledger) == whole
    assert last_report(ledger) is None


def test_without_ledger_and_backups_there_is_nothing_to_recover(tmp_path):
    assert not recover(tmp_path / "new.db", tmp_path / "backups", no_gaps, AT)
    assert list(tmp_path.iterdir()) == []


def test_the_newest_backup_takes_its_place_and_the_damaged_one_stays(ledger, folder, whole):
    backed_up(ledger, folder, AT - 2)
    go_on(ledger, 13, 15)
    newest = backed_up(ledger, folder, AT - 1)
    later = rows_of(ledger)
    go_on(ledger, 16, 20)
    damaged = spoil(ledger)
    with capture_logs() as logs:
        assert recover(ledger, folder, no_gaps, AT)
    assert rows_of(ledger) == later != whole
    (told,) = logs
    aside, *_ = told["setAside"]
    assert (told["event"], told["restoredFrom"]) == ("ledger_rebuilt", str(newest))
    assert ledger.with_name("rollcall.db.damaged-20260921T141320.000Z") == type(ledger)(aside)
    assert type(ledger)(aside).read_bytes() == damaged
    assert newest.exists()
    report = last_report(ledger)
    assert (report["restoredFrom"], report["setAside"][0], report["passedOver"]) == (str(newest), aside, [])
    assert report["at"] == "2026-09-21T14:13:20.000Z"
    assert report["reason"]
    go_on(ledger, 16, 20)  # as the journal has it


def test_the_log_of_a_killed_writer_goes_aside_with_its_file(ledger, folder, tmp_path):
    with closing(SqlLedger(ledger, 0)) as writer:
        writer.commit(commit_of(13))
        copy = tmp_path / "killed" / "rollcall.db"
        copy.parent.mkdir()
        for ending in ("", "-wal", "-shm"):
            shutil.copy(ledger.with_name(ledger.name + ending), copy.with_name(copy.name + ending))
    spoil(copy)
    assert recover(copy, folder, no_gaps, AT)
    names = {it.name.partition(".damaged-")[2] for it in copy.parent.iterdir()}
    stamp = "20260921T141320.000Z"
    assert {stamp, f"{stamp}-wal", f"{stamp}-shm"} <= names
    assert not copy.exists()


def test_a_bad_backup_is_passed_over_and_told(ledger, folder, whole):
    good = backed_up(ledger, folder, AT - 5)
    torn, newer, empty = (backed_up(ledger, folder, AT - number) for number in (4, 3, 2))
    spoil(torn)
    shutil.copy(newer, folder / "x")
    with closing(SqlLedger(folder / "x", 0)) as other:
        other._writer.execute_sql("DELETE FROM session")
        other._writer.execute_sql("PRAGMA application_id = 7")
        for table in ("eventsession", "session"):
            other._writer.execute_sql(f"DROP TABLE {table}")
    newer.write_bytes(b"no database at all\n" * 300)
    empty.write_bytes(b"")
    spoil(ledger)
    assert recover(ledger, folder, no_gaps, AT)
    assert rows_of(ledger) == whole
    report = last_report(ledger)
    assert report["restoredFrom"] == str(good)
    assert [it["backup"] for it in report["passedOver"]] == [str(empty), str(newer), str(torn)]
    assert all(it["reason"] for it in report["passedOver"])


def test_without_a_backup_there_is_an_empty_place_and_the_journal_begins_anew(ledger, folder):
    spoil(ledger)
    asked = []
    assert recover(ledger, folder, lambda found: asked.append(dict(found)) or [], AT)
    assert asked == [{}]
    assert not ledger.exists()
    assert last_report(ledger)["restoredFrom"] is None
    go_on(ledger, 1, 3)


def test_two_at_one_moment_do_not_take_each_others_names(ledger, folder, whole):
    backed_up(ledger, folder, AT - 1)
    first = spoil(ledger)
    assert recover(ledger, folder, no_gaps, AT)
    zero_page(ledger, page_of(ledger, "span"))
    assert recover(ledger, folder, no_gaps, AT)
    one, two = put_aside(ledger)
    assert one.read_bytes() == first != two.read_bytes()
    assert rows_of(ledger) == whole


@pytest.mark.parametrize("gone", [lambda it: it.unlink(), lambda it: it.write_bytes(b"")])
def test_a_ledger_that_is_gone_is_restored_where_there_is_a_backup(ledger, folder, whole, gone):
    """A rebuilding may have been killed between the two names."""
    backed_up(ledger, folder, AT - 1)
    gone(ledger)
    assert recover(ledger, folder, no_gaps, AT)
    assert rows_of(ledger) == whole


def test_one_that_cannot_be_replaced_ends_in_a_line_and_the_next_start_does_it(
    ledger, folder, whole, monkeypatch
):
    backed_up(ledger, folder, AT - 1)
    spoil(ledger)
    with monkeypatch.context() as full:

        def no_room(*_):
            raise OSError(28, "No space left on device", "/disk")

        full.setattr(shutil, "copyfile", no_room)
        with pytest.raises(StorageError, match="No space left on device") as told:
            recover(ledger, folder, no_gaps, AT)
    assert "\n" not in str(told.value)
    assert recover(ledger, folder, no_gaps, AT + 1)
    assert rows_of(ledger) == whole
    assert len(put_aside(ledger)) == 1


def test_another_programs_file_is_not_moved(tmp_path, folder):
    path = tmp_path / "notes.txt"
    path.write_text("a shopping list\n" * 400)
    with pytest.raises(StorageUnfit):
        recover(path, folder, no_gaps, AT)
    assert path.read_text().startswith("a shopping list")


def test_what_the_journal_no_longer_has_is_told_with_both_moments(ledger, folder):
    backed_up(ledger, folder, AT - 1)
    spoil(ledger)
    gap = Gap(0, "12-0", "40-0", 1_000, 61_000, 27)
    recover(ledger, folder, lambda _: [gap], AT)
    (told,) = last_report(ledger)["gaps"]
    assert told == {
        "partition": 0,
        "cursor": "12-0",
        "first_id": "40-0",
        "since": "1970-01-01T00:00:01.000Z",
        "until": "1970-01-01T00:01:01.000Z",
        "entries": 27,
    }


def test_an_older_ledger_put_there_by_hand_is_told_of_too(ledger, folder):
    gap = Gap(0, "12-0", "40-0", 1_000, 61_000, 27)
    with capture_logs() as logs:
        assert not recover(ledger, folder, lambda _: [gap], AT)
    assert [it["event"] for it in logs] == ["journal_gap"]
    assert json.dumps(last_report(ledger))


def test_a_journal_that_is_away_is_no_obstacle(ledger, folder, whole):
    backed_up(ledger, folder, AT - 1)
    spoil(ledger)

    def away(_standings):
        raise ConnectionError("Redis at x: gone")

    assert recover(ledger, folder, away, AT)
    assert rows_of(ledger) == whole
    assert last_report(ledger)["journal"] == "away: Redis at x: gone"


@pytest.mark.parametrize("seed", range(MUTATIONS))
def test_bytes_that_were_changed_anywhere_are_found_or_change_no_more_than_a_value(
    ledger, folder, whole, seed
):
    """Whatever becomes of a file, its start ends with a ledger that can be read and that goes on."""
    chance = random.Random(seed)
    backed_up(ledger, folder, AT - 1)
    data = bytearray(ledger.read_bytes())
    length = chance.choice([1, 1, 1, 4, 512, 4096])
    # The first page, of which every byte counts, as often as all others.
    at = chance.randrange(chance.choice([4096, len(data)]) - length + 1)
    data[at : at + length] = chance.randbytes(length)
    ledger.write_bytes(data)
    rebuilt = recover(ledger, folder, no_gaps, AT)
    rows = rows_of(ledger)
    if rebuilt:
        assert rows == whole
        assert bytes(data) in {it.read_bytes() for it in put_aside(ledger)}
    else:
        assert {table: len(found) for table, found in rows.items()} == {k: len(it) for k, it in whole.items()}
        assert sum(row not in whole[table] for table, found in rows.items() for row in found) <= length
    read_all(ledger)
    go_on(ledger, 13, 14)


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """What a killed writer left, its log copied back half-way; and the rows as of each of its commits."""
    path = tmp_path_factory.mktemp("killed") / "rollcall.db"
    copy, rows = path.with_name("left.db"), {}
    with closing(SqlLedger(path, 0)) as writer:
        for number in range(1, 13):
            writer.commit(commit_of(number))
            rows[f"{number}-0"] = rows_of(path)
            if number == 4:
                reader = reading(path)
                reader.execute("BEGIN")
                reader.execute("SELECT 1 FROM session").fetchone()
        writer._writer.execute_sql("PRAGMA wal_checkpoint(PASSIVE)")
        for number in range(13, 16):
            writer.commit(commit_of(number))
            rows[f"{number}-0"] = rows_of(path)
        for ending in ("", "-wal", "-shm"):
            shutil.copy(f"{path}{ending}", f"{copy}{ending}")
        reader.close()
    return copy, rows


@pytest.mark.parametrize("seed", range(MUTATIONS))
def test_a_log_that_was_changed_is_found_or_gives_an_older_commit_whole(killed, tmp_path, folder, seed):
    left, rows = killed
    ledger, chance = tmp_path / "rollcall.db", random.Random(seed)
    shutil.copy(left, ledger)
    log = ledger.with_name("rollcall.db-wal")
    data = bytearray(left.with_name("left.db-wal").read_bytes())
    length = chance.choice([1, 1, 4096])
    at = chance.randrange(len(data) - length + 1)
    data[at : at + length] = chance.randbytes(length)
    log.write_bytes(data)
    if recover(ledger, folder, no_gaps, AT):
        assert log.with_name(f"{put_aside(ledger)[0].name}-wal").read_bytes() == data
        return
    found = rows_of(ledger)
    cursor = found["partition"][0][1]
    assert found == rows[cursor]
    go_on(ledger, int(cursor.partition("-")[0]) + 1, 16)


def test_a_log_that_was_torn_is_an_older_commit_and_no_damage(killed, tmp_path, folder):
    left, rows = killed
    for cut in (1, 24, 4096, 4120):
        ledger = tmp_path / f"{cut}.db"
        shutil.copy(left, ledger)
        data = left.with_name("left.db-wal").read_bytes()
        ledger.with_name(f"{ledger.name}-wal").write_bytes(data[:-cut])
        assert not recover(ledger, folder, no_gaps, AT)
        assert rows_of(ledger) == rows["14-0"]


def test_a_log_cut_short_of_what_was_copied_from_it_is_damage(killed, tmp_path, folder):
    left, rows = killed
    data = left.with_name("left.db-wal").read_bytes()
    outcomes = set()
    for part in range(1, 20):
        ledger = tmp_path / f"{part}.db"
        for ending in ("", "-shm"):
            shutil.copy(f"{left}{ending}", f"{ledger}{ending}")
        ledger.with_name(f"{ledger.name}-wal").write_bytes(data[: len(data) * part // 20])
        rebuilt = recover(ledger, folder, no_gaps, AT)
        outcomes.add(rebuilt)
        assert rebuilt or rows_of(ledger) in rows.values()
    assert outcomes == {True, False}


class TestGap:
    @pytest.fixture
    def written(self, client):
        """Append entries of a life's numbers at ids of their own."""

        def write(*seqs, source="life-1"):
            for seq in seqs:
                raw = encode(Entry(source, seq, Heartbeat(seq * 1_000)))
                client.xadd(stream_key(0), {FIELD: raw}, id=f"{seq}-{0 if source == 'life-1' else 1}")

        return write

    def test_a_journal_that_holds_the_cursor_has_none(self, redis_url, written):
        written(*range(1, 10))
        assert gap_behind(redis_url, 0, Standing("4-0", 4_000, {"life-1": 4})) is None
        assert gap_behind(redis_url, 0, Standing()) is None

    def test_of_a_new_ledger_and_a_new_journal_nothing_is_lost(self, redis_url):
        assert gap_behind(redis_url, 0, Standing()) is None

    def test_what_was_trimmed_is_counted_by_the_numbers_that_are_missing(self, redis_url, written):
        written(*range(10, 15), 17, 18)
        written(18, 19, source="life-2")
        gap = gap_behind(redis_url, 0, Standing("4-0", 4_000, {"life-1": 4}))
        # 5 to 9 and 15 to 16 of the first life, 1 to 17 of the second.
        assert gap == Gap(0, "4-0", "10-0", 4_000, 10_000, 5 + 2 + 17)

    def test_for_a_new_ledger_the_beginning_is_lost(self, redis_url, written):
        written(5, 6)
        assert gap_behind(redis_url, 0, Standing()) == Gap(0, "0-0", "5-0", None, 5_000, 4)

    def test_an_emptied_journal_has_an_open_end(self, redis_url):
        assert gap_behind(redis_url, 0, Standing("4-0", 4_000, {})) == Gap(0, "4-0", None, 4_000, None, 0)


def test_a_backups_standing_is_what_the_ledger_says(ledger):
    assert standings(ledger) == {0: Standing("12-0", 12, {"life-1": 12})}
