"""What is found wrong with a ledger's file, and what is no fault of it."""

import sqlite3
from contextlib import closing

import pytest

from engine.storage import soundness
from engine.storage.database import open_database, open_readonly, suspect_mark
from engine.storage.ledger import SqlLedger
from engine.storage.models import TABLES
from engine.storage.protocols import StorageError, StorageUnfit
from engine.storage.soundness import first_fault, look_at_start
from tests.storage.ledger_files import commit_of, make_ledger, page_of, rows_of, zero_page


@pytest.fixture
def ledger(tmp_path):
    return make_ledger(tmp_path / "rollcall.db")


def fault_of(path, *, thorough=False):
    fault = first_fault(path, thorough=thorough)
    assert "\n" not in fault
    return fault


def overwrite(path, at, data):
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


@pytest.mark.parametrize("thorough", [False, True])
def test_a_sound_ledger_has_no_fault_and_is_not_touched(ledger, thorough):
    whole = ledger.read_bytes()
    assert fault_of(ledger, thorough=thorough) == ""
    assert ledger.read_bytes() == whole


@pytest.mark.parametrize("thorough", [False, True])
def test_a_row_in_any_table_is_no_fault(ledger, thorough):
    """SQLite 3.40 takes columns of a table without rowid for NULL that are not."""
    with closing(sqlite3.connect(ledger)) as connection:
        tables = [it._meta.table_name for it in TABLES]
        for table in tables:
            columns = connection.execute(f"SELECT type FROM pragma_table_info('{table}')").fetchall()
            row = [
                b"" if kind == "BLOB" else str(at) if "CHAR" in kind or kind == "TEXT" else at + 100
                for at, (kind,) in enumerate(columns)
            ]
            connection.execute(f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(row))})', row)
        connection.commit()
    assert fault_of(ledger, thorough=thorough) == ""


def test_what_a_killed_writer_left_in_the_log_counts_and_stays_there(ledger, tmp_path):
    with closing(SqlLedger(ledger, 0)) as writer:
        writer.commit(commit_of(31))
        copy = tmp_path / "killed.db"
        for ending in ("", "-wal"):
            copy.with_name(copy.name + ending).write_bytes(
                ledger.with_name(ledger.name + ending).read_bytes()
            )
    log = copy.with_name("killed.db-wal")
    before = copy.read_bytes(), log.read_bytes()
    assert fault_of(copy) == ""
    assert (copy.read_bytes(), log.read_bytes()) == before
    assert len(rows_of(copy)["session"]) == len(rows_of(ledger)["session"])


def test_a_new_ledger_that_has_only_a_log_yet_is_ours(tmp_path):
    path, copy = tmp_path / "new.db", tmp_path / "killed.db"
    with closing(open_database(path)):
        for ending in ("", "-wal"):
            copy.with_name(copy.name + ending).write_bytes(path.with_name(path.name + ending).read_bytes())
    assert fault_of(copy) == ""


@pytest.mark.parametrize("table", ["session", "span", "partition", "session_joined_at"])
def test_a_page_of_zeros_is_found(ledger, table):
    zero_page(ledger, page_of(ledger, table))
    assert fault_of(ledger) != ""


def test_a_first_page_of_zeros_is_damage_and_no_other_programs_file(ledger):
    zero_page(ledger, 1)
    assert "not a database" in fault_of(ledger)


def test_a_file_cut_short_is_found(ledger):
    overwrite(ledger, 0, b"")
    with ledger.open("r+b") as file:
        file.truncate(ledger.stat().st_size - 4096)
    assert fault_of(ledger) != ""


@pytest.mark.parametrize(
    ("at", "data"),
    [(0, b"X"), (18, b"\3"), (18, b"\0"), (16, b"\2"), (44, b"\0\0\0\7"), (68, b"Xoll"), (100, b"\0")],
    ids=["magic", "newer version", "no version", "page size", "schema format", "whose it is", "kind of page"],
)
def test_a_header_that_was_changed_is_found(ledger, at, data):
    overwrite(ledger, at, data)
    assert fault_of(ledger) != ""


def test_a_column_that_is_called_otherwise_is_found(ledger):
    data = ledger.read_bytes()
    ledger.write_bytes(data.replace(b"joined_slack_ms INTEGER", b"joined_slack_mz INTEGER"))
    assert "joined_slack_ms" in fault_of(ledger)


def test_a_garbled_migration_is_damage_and_no_newer_rollcall(ledger):
    data = ledger.read_bytes()
    ledger.write_bytes(data.replace(b"0002_events", b"0002_evEnts"))
    assert "0002_evEnts" in fault_of(ledger)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE session SET flags = 'many' WHERE user_id % 40 = 7", "session"),
        ("UPDATE session SET gateway_session_id = x'00' WHERE user_id % 40 = 7", "session"),
        ("UPDATE session SET gateway_session_id = CAST(x'ff' AS TEXT) WHERE user_id % 40 = 7", "session"),
        ("UPDATE \"partition\" SET cursor = 'x-0'", "cursor"),
        ('UPDATE "partition" SET now = 1.5', "partition"),
        ("INSERT INTO outbox VALUES ('o', 1, 'message', '{', 'pending', 3, NULL, '')", "payload"),
    ],
)
def test_a_value_that_cannot_be_read_is_found_by_a_thorough_look(ledger, change, told):
    with closing(sqlite3.connect(ledger)) as connection, connection:
        assert connection.execute(change).rowcount > 0
    assert fault_of(ledger) == ""
    assert told in fault_of(ledger, thorough=True)


def test_an_index_that_lacks_a_row_is_found_by_a_thorough_look(ledger):
    with closing(sqlite3.connect(ledger)) as connection:
        ((sql,),) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'session_joined_at'")
        connection.execute("PRAGMA writable_schema = 1")
        connection.execute(
            "UPDATE sqlite_schema SET sql = ? WHERE name = 'session_joined_at'",
            (sql + " WHERE joined_at < 9",),
        )
        connection.commit()
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("DELETE FROM session WHERE joined_at > 20")
        connection.execute("PRAGMA writable_schema = 1")
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'session_joined_at'", (sql,))
        connection.commit()
    assert fault_of(ledger) == ""
    assert "session_joined_at" in fault_of(ledger, thorough=True)


def test_a_large_ledger_is_looked_at_thoroughly_only_where_somebody_came_upon_damage(ledger, monkeypatch):
    monkeypatch.setattr(soundness, "THOROUGH_BYTES", 0)
    looks = []
    monkeypatch.setattr(soundness, "first_fault", lambda _path, *, thorough: looks.append(thorough) or "")
    look_at_start(ledger)
    suspect_mark(ledger).touch()
    look_at_start(ledger)
    look_at_start(ledger)
    assert looks == [False, True, False]


def test_a_huge_one_is_passed_over_only_where_its_engine_ended_in_order(ledger, monkeypatch):
    monkeypatch.setattr(soundness, "THOROUGH_BYTES", 0)
    monkeypatch.setattr(soundness, "ALWAYS_BYTES", 0)
    zero_page(ledger, page_of(ledger, "span"))
    assert look_at_start(ledger) == ""
    ledger.with_name(f"{ledger.name}-wal").write_bytes(b"of a killed writer")
    assert look_at_start(ledger) != ""


def test_whoever_comes_upon_damage_leaves_a_mark(ledger):
    zero_page(ledger, page_of(ledger, "session"))
    with closing(SqlLedger(ledger, 0)) as damaged, pytest.raises(StorageError, match="malformed"):
        damaged.load_guild(1, 1)
    assert suspect_mark(ledger).exists()


def test_another_programs_file_is_no_damaged_ledger(tmp_path):
    recipes = tmp_path / "recipes.db"
    with closing(sqlite3.connect(recipes)) as other:
        other.execute("CREATE TABLE recipes (name)")
    with pytest.raises(StorageUnfit, match="belongs to another program"):
        first_fault(recipes, thorough=True)
    notes = tmp_path / "notes.txt"
    notes.write_text("a shopping list\n" * 400)
    with pytest.raises(StorageUnfit, match="is not a database"):
        first_fault(notes, thorough=True)


def test_a_newer_rollcalls_file_is_no_damaged_one(ledger):
    with closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute("INSERT INTO schema_migration (name, applied) VALUES ('0999_later', '2099-01-01')")
    assert fault_of(ledger, thorough=True) == ""
    with pytest.raises(StorageUnfit, match="newer Rollcall"):
        open_readonly(ledger)
