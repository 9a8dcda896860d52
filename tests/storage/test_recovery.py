"""A damaged ledger is put aside and built anew: from backups, from the journal; and what is lost is told."""

import json
import shutil
from contextlib import closing

import pytest
from structlog.testing import capture_logs

from engine.storage.journal_gap import Gap
from engine.storage.ledger import SqlLedger
from engine.storage.protocols import StorageError, StorageUnfit
from engine.storage.recovery import last_report, recover
from tests.storage.ledger_files import commit_of, make_ledger, page_of, rows_of, zero_page
from tests.storage.recovering import AT, backed_up, go_on, no_gaps, put_aside, spoil


@pytest.fixture
def ledger(tmp_path):
    return make_ledger(tmp_path / "rollcall.db", commits=12)


@pytest.fixture
def whole(ledger):
    return rows_of(ledger)


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
