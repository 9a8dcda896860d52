"""Files that are damaged while the daemon is down, or under its hands: rebuilt, and told of."""

import json

import pytest

from tests.daemon.replay import differences, replay, tables_of
from tests.daemon.running import until
from tests.daemon.truth import rows_of
from tests.storage.ledger_files import page_of, zero_page

pytestmark = [pytest.mark.crash, pytest.mark.slow]

LEFT_AT = 5


@pytest.fixture
def daemon(make_daemon):
    return make_daemon(simulator={"speed": 25.0, "members": 80}).run()


def until_more(daemon):
    """Wait until people have come and gone since now."""
    known = len(rows_of(daemon.config.database))
    until(lambda: len(rows_of(daemon.config.database)) > known + 10, "some sessions")


def completed(daemon):
    """Return the rows of the sessions that are over."""
    rows = tables_of(daemon.config.database)["session"]
    return {row for row in rows if row[LEFT_AT] is not None}


def told(daemon, event):
    """Return what the log has of an event."""
    lines = [it for it in daemon.program.text().splitlines() if it.startswith("{")]
    return [it for it in map(json.loads, lines) if it["event"] == event]


def test_a_damaged_ledger_is_rebuilt_from_a_backup_and_the_journal_to_the_last_row(
    daemon, recorded, tmp_path
):
    """Once while the daemon is down, once while it runs and a reader comes upon it."""
    until_more(daemon)
    backup = daemon.asked("backup")
    until_more(daemon)
    assert daemon.program.stop() == 0
    ledger = daemon.config.database
    zero_page(ledger, page_of(ledger, "session"))
    daemon.run()
    rebuilt = daemon.asked("debug")["rebuilt"]
    assert rebuilt["restoredFrom"] == backup["path"]
    assert rebuilt["gaps"] == []
    assert daemon.asked("debug")["damagedFiles"] == sorted(rebuilt["setAside"])
    assert len(told(daemon, "ledger_rebuilt")) == 1

    later = daemon.asked("backup")
    engine = daemon.pid("engine")
    zero_page(ledger, page_of(ledger, "forgotten"))
    refused = daemon.rollcall("backup")
    assert refused.returncode == 1
    assert f"{ledger} is damaged" in refused.stderr
    daemon.back("engine", engine)
    until(daemon.ready, "an engine with another ledger")
    assert daemon.asked("debug")["rebuilt"]["restoredFrom"] == later["path"]
    until_more(daemon)

    assert daemon.program.stop() == 0
    assert "Traceback" not in daemon.program.text()
    assert len(list(ledger.parent.glob("rollcall.db.damaged-*Z"))) == 2
    recording = recorded(daemon)
    again = replay(recording, tmp_path / "again.db")
    assert differences(tables_of(recording.database), tables_of(again)) == []


def test_without_a_backup_the_whole_journal_is_taken_again(daemon, recorded, tmp_path):
    until_more(daemon)
    assert daemon.program.stop() == 0
    daemon.config.database.write_bytes(daemon.config.database.read_bytes()[:5000])
    daemon.run()
    assert daemon.asked("debug")["rebuilt"]["restoredFrom"] is None
    assert daemon.program.stop() == 0
    recording = recorded(daemon)
    again = replay(recording, tmp_path / "again.db")
    assert differences(tables_of(recording.database), tables_of(again)) == []


def test_a_damaged_append_only_file_is_mended_and_nothing_is_taken_twice(daemon):
    until_more(daemon)
    assert daemon.program.stop() == 0
    over = completed(daemon)
    (file,) = (daemon.config.data_dir / "redis").glob("appendonlydir/*.incr.aof")
    data = file.read_bytes()
    entry = data.index(b"XADD\r\n$18\r\nrollcall:journal:0", len(data) // 2)
    file.write_bytes(data[:entry] + b"XADE" + data[entry + 4 : -5] + bytes(4096))
    daemon.run()
    (repaired,) = told(daemon, "append_only_file_repaired")
    assert repaired["cut_entries"] >= 1
    until_more(daemon)
    assert over <= completed(daemon)
    assert daemon.program.stop() == 0
    assert "Traceback" not in daemon.program.text()


def test_automatic_backups_are_made_and_shown(make_daemon):
    daemon = make_daemon(simulator={"speed": 0.1}, backup={"every_h": 0.0003, "keep": 2}).run()
    name = "rollcall_backup_last_success_timestamp_seconds"
    until(lambda: daemon.metrics()[name] > 0, "a first backup")
    until(lambda: len(told(daemon, "backup_made")) > 2, "a third one")
    shown = daemon.asked("debug")["backups"]
    assert (shown["kept"], shown["failures"], shown["lastError"]) == (2, 0, "")
    assert daemon.metrics()["rollcall_backup_failures_total"] == 0
    assert daemon.program.stop() == 0
    files = sorted((daemon.config.data_dir / "backups").iterdir())
    assert len(files) == 2
    assert rows_of(files[-1]) is not None
