"""What ``rollcall debug`` and the metrics tell of backups, whoever made them."""

from contextlib import ExitStack

import pytest

from engine.config import load
from engine.daemon.backups import backup_now, needed_after, overview, samples, start_backups
from engine.domain.views import iso
from tests.storage.ledger_files import make_ledger

LAST, FAILURES = "rollcall_backup_last_success_timestamp_seconds", "rollcall_backup_failures_total"


@pytest.fixture(params=[6, 0], ids=["automatic", "by hand alone"])
def config(request, tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(f"[storage]\ndata_dir = 'd'\n[backup]\nevery_h = {request.param}\n")
    config = load(file, {})
    config.data_dir.mkdir()
    make_ledger(config.database, commits=2)
    return config


@pytest.fixture
def backups(config):
    with ExitStack() as stack:
        yield start_backups(config, stack)


def told(config, backups):
    return overview(config, backups)["backups"], {it.name: it.value for it in samples(backups)}


def test_one_made_by_hand_is_shown_at_the_next_look(config, backups):
    shown, values = told(config, backups)
    assert (shown["lastAt"], shown["lastFile"], shown["lastBytes"], shown["kept"]) == (None, "", 0, 0)
    assert values == {LAST: 0, FAILURES: 0}
    for kept in (1, 2):
        made = backup_now(config, None)
        shown, values = told(config, backups)
        assert (shown["lastAt"], shown["lastFile"]) == (iso(made.at), str(made.path))
        assert (shown["lastBytes"], shown["kept"]) == (made.size_bytes, kept)
        assert values == {LAST: made.at / 1000, FAILURES: 0}


def test_those_that_somebody_removed_are_not_shown(config, backups):
    older, newest = backup_now(config, None), backup_now(config, None)
    assert told(config, backups)[0]["lastFile"] == str(newest.path)
    newest.path.unlink()
    assert told(config, backups)[0]["lastFile"] == str(older.path)
    older.path.unlink()
    assert told(config, backups)[0]["lastAt"] is None
    assert told(config, backups)[1][LAST] == 0


def test_debug_says_whether_they_are_made_by_themselves_and_only_then_the_journal_waits_for_them(
    config, backups
):
    automatic = config.backup.every_h > 0
    assert told(config, backups)[0]["automatic"] is automatic
    assert (needed_after(backups, 0) is not None) is automatic


def test_a_folder_that_cannot_be_listed_spoils_no_look(config, backups, monkeypatch):
    made = backup_now(config, None)
    before = told(config, backups)
    assert before[0]["lastAt"] == iso(made.at)

    def refused(_folder):
        raise PermissionError

    monkeypatch.setattr("engine.storage.backups.backups_in", refused)
    assert told(config, backups) == before
