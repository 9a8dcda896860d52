"""Backups: whole, sound, of one commit; made beside a writer; the old ones go when the new one is there."""

import os
import sqlite3
import stat
import subprocess
import threading
from contextlib import closing

import pytest
from structlog.testing import capture_logs

from engine.domain.effects import ForgetMember
from engine.domain.partition import START, PartitionState
from engine.storage import backup as module
from engine.storage.backup import BackupStopped, back_up, backups_in, moment_of, new_name, reading, standings
from engine.storage.backups import Backups
from engine.storage.database import suspect_mark
from engine.storage.ledger import SqlLedger
from engine.storage.protocols import Commit, StorageError
from tests.storage.ledger_files import USERS, clock, commit_of, make_ledger, page_of, rows_of, zero_page

HOUR_MS = 3_600_000


@pytest.fixture
def ledger(tmp_path):
    return make_ledger(tmp_path / "rollcall.db", commits=20)


@pytest.fixture
def backups(ledger, folder):
    """Automatic backups that are made when the test says so."""
    return Backups(ledger, folder, every_s=3600, keep=3, now=clock())


def test_a_backup_has_the_rows_of_the_ledger_in_one_private_file(ledger, folder):
    made = back_up(ledger, folder / "copy.db", at=5)
    assert rows_of(made.path) == rows_of(ledger)
    assert (made.at, made.size_bytes) == (5, made.path.stat().st_size)
    assert (made.standings[0].cursor, made.standings[0].now) == ("20-0", 20)
    assert made.standings[0].seqs == {"life-1": 20}
    assert list(folder.iterdir()) == [made.path]
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600


def test_commits_go_on_meanwhile_and_the_backup_is_of_one_of_them(ledger, folder, monkeypatch):
    monkeypatch.setattr(module, "STEP_PAGES", 1)
    before = rows_of(ledger)
    with closing(SqlLedger(ledger, 0)) as writer:
        numbers = iter(range(21, 10_000))

        def commit_between_steps(_seconds):
            writer.commit(commit_of(next(numbers)))

        made = back_up(ledger, folder / "copy.db", 5, commit_between_steps)
        later = int(writer.load_partition().cursor.partition("-")[0])
    assert rows_of(made.path) == before
    assert later > 20 + 10, "nobody committed meanwhile"


def test_a_backup_that_is_given_up_leaves_nothing(ledger, folder):
    target = folder / "copy.db"
    with pytest.raises(BackupStopped):
        back_up(ledger, target, 5, lambda _seconds: True)
    assert list(folder.iterdir()) == []


def test_a_backup_that_cannot_be_written_is_told_in_a_line(ledger, folder):
    folder.touch()
    with pytest.raises(StorageError, match="cannot write the backup") as told:
        back_up(ledger, folder / "copy.db", 5)
    assert "\n" not in str(told.value)


def test_of_a_damaged_ledger_there_is_no_backup_and_its_engine_is_told(ledger, folder):
    zero_page(ledger, page_of(ledger, "session"))
    with pytest.raises(StorageError, match="is damaged"):
        back_up(ledger, folder / "copy.db", 5)
    assert list(folder.iterdir()) == []
    assert suspect_mark(ledger).exists()


def test_the_names_tell_the_moments_and_their_order(folder):
    folder.mkdir()
    moments = [1_790_000_000_000, 1_790_000_000_007, 1_790_003_600_000, 1_999_999_999_999]
    for at in moments:
        new_name(folder, at).touch()
    for other in ("rollcall-20269999T000000.000Z.db", "notes.txt", ".rollcall-x.partial"):
        (folder / other).touch()
    assert [moment_of(it) for it in backups_in(folder)] == moments[::-1]


def test_what_a_killed_process_had_begun_is_removed_and_a_living_ones_is_not(ledger, folder):
    folder.mkdir()
    with subprocess.Popen(["true"]) as killed:
        killed.wait()
    begun = [folder / f".rollcall-1.db.{killed.pid}.partial{ending}" for ending in ("", "-journal")]
    others = [folder / f".rollcall-1.db.{os.getppid()}.partial", folder / ".notes.partial"]
    for path in (*begun, *others):
        path.touch()
    Backups(ledger, folder, every_s=3600, keep=3)
    assert sorted(folder.iterdir()) == sorted(others)


class TestAutomatic:
    def test_as_many_stay_as_are_wanted_and_the_newest_tells_what_the_journal_must_keep(
        self, backups, folder
    ):
        assert backups.needed_after(0) == START
        made = [backups.make() for _ in range(5)]
        assert backups_in(folder) == [it.path for it in made[:1:-1]]
        assert (backups.needed_after(0), backups.needed_after(1)) == ("20-0", START)
        assert (backups.stats.last_at, backups.stats.kept) == (made[-1].at, 3)

    def test_the_next_life_knows_them(self, backups, ledger, folder):
        made = backups.make()
        following = Backups(ledger, folder, every_s=3600, keep=3)
        assert (following.stats.last_at, following.needed_after(0)) == (made.at, "20-0")

    def test_one_that_fails_removes_none(self, backups, ledger, folder):
        made = [backups.make() for _ in range(3)]
        zero_page(ledger, page_of(ledger, "session"))
        with pytest.raises(StorageError):
            backups.make()
        assert backups_in(folder) == [it.path for it in made[::-1]]

    def test_it_is_due_when_its_time_has_come_or_the_clock_went_back(self, ledger, folder):
        moment = [1_790_000_000_000]
        backups = Backups(ledger, folder, every_s=3600, keep=3, now=lambda: moment[0])
        assert backups.due()
        first = backups.make()
        moment[0] += HOUR_MS - 1
        assert not backups.due()
        moment[0] += 1
        assert backups.due()
        moment[0] -= 2 * HOUR_MS
        assert backups.due()
        assert moment_of(backups.make().path) > first.at

    def test_though_the_clock_stood_a_year_ahead_for_a_while_one_is_made_in_each_period(self, ledger, folder):
        moment = [1_790_000_000_000]
        backups = Backups(ledger, folder, every_s=3600, keep=5, now=lambda: moment[0])
        older = [backups.make().path]
        moment[0] += 365 * 24 * HOUR_MS
        older.append(backups.make().path)
        moment[0] -= 365 * 24 * HOUR_MS
        made = []
        for _ in range(2 * 60):  # each half minute for an hour
            if backups.due():
                made.append(backups.make().path)
            moment[0] += 30_000
        assert len(made) == 1
        assert backups_in(folder) == [*made, *older[::-1]]
        assert backups.due()

    def test_who_is_forgotten_is_soon_in_none(self, ledger, folder, backups):
        gone = 10**17 + 3
        backups.make()
        backups.make()
        assert not backups.due()
        with closing(SqlLedger(ledger, 0)) as writer:
            forgotten = PartitionState(cursor="21-0", now=50, forgotten={gone: 50})
            effects = [ForgetMember(gone, 50, 1_000)]
            writer.commit(Commit("20-0", forgotten, effects, forgotten_changed=True))
        assert backups.due()
        made = backups.make()
        assert backups_in(folder) == [made.path]
        # Once, in the row that says that they are forgotten.
        assert made.path.read_bytes().count(gone.to_bytes(8, "big")) == 1
        assert len(rows_of(made.path)["session"]) == 20 * (USERS - 1)
        assert not backups.due()

    def test_on_its_thread_it_makes_one_and_tells_of_failures(self, ledger, folder, eventually):
        backups = Backups(ledger, folder, every_s=0.01, keep=2)
        with capture_logs() as logs:
            backups.start()
            eventually(lambda: len(backups_in(folder)) == 2)
            ledger.write_bytes(b"")
            eventually(lambda: backups.stats.failures == 1)
            backups.stop()
        assert {it["event"] for it in logs} == {"backup_made", "backup_failed"}
        assert backups.stats.last_error
        assert all(rows_of(it) for it in backups_in(folder))

    def test_a_stop_does_not_wait_for_one_under_way(self, ledger, folder, monkeypatch):
        monkeypatch.setattr(module, "STEP_PAGES", 1)
        monkeypatch.setattr(module, "PAUSE_MAX_S", 60.0)
        stepping = threading.Event()
        backups = Backups(ledger, folder, every_s=0.01, keep=2)
        wait = backups._stopping.wait

        def slowly(seconds):
            if threading.current_thread().name == "backups" and list(folder.glob(".*partial")):
                stepping.set()
                return wait(60.0)
            return wait(seconds)

        monkeypatch.setattr(backups._stopping, "wait", slowly)
        backups.start()
        assert stepping.wait(30)
        backups.stop()
        assert list(folder.iterdir()) == []


def test_an_older_releases_backup_still_tells_where_it_stands(ledger):
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("DROP TABLE forgotten")
    assert standings(ledger)[0].cursor == "20-0"
    with closing(reading(ledger)) as connection:
        assert connection.execute("SELECT count(*) FROM session").fetchone() == (20 * USERS,)
