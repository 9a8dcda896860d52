"""Opening the ledger's file: what is refused, and how that reads."""

import shutil
import sqlite3
from contextlib import closing

import pytest
from peewee import SqliteDatabase
from playhouse.migrations import Runner
from playhouse.schema_diff import diff_models

from engine.storage.database import APPLICATION_ID, MIGRATIONS, open_database, open_readonly
from engine.storage.models import TABLES
from engine.storage.protocols import StorageError


def refusal(opening, path) -> str:
    with pytest.raises(StorageError) as refused:
        opening(path)
    text = str(refused.value)
    assert str(path) in text
    assert "\n" not in text
    return text


def test_a_new_file_is_durable_and_has_the_schema_of_the_models(path):
    with closing(open_database(path)) as database:
        assert database.pragma("journal_mode") == "wal"
        assert database.pragma("synchronous") == 2  # FULL
        assert database.pragma("application_id") == APPLICATION_ID
        assert not diff_models(database, TABLES)


def test_the_directory_is_made_and_a_second_opening_keeps_the_rows(path):
    nested = path.parent / "a" / "b" / path.name
    with closing(open_database(nested)) as database:
        database.execute_sql("INSERT INTO \"partition\" VALUES (0, '5-0', 7)")
    with closing(open_database(nested)) as database:
        assert database.execute_sql('SELECT * FROM "partition"').fetchall() == [(0, "5-0", 7)]


# Rows as the first release wrote them, for all of its tables.
FIRST_ROWS = {
    "session": (1, 2, 3, 4, 0, 9, 5, 1, 2, 3, 3, None, 0, 1, "s", 9),
    "span": (1, 2, 3, 3, 7, 1),
    "guild": (1, "Here", None, "c", 3, None, 1, 8, 3),
    "channel": (1, 4, "Lounge", 2, 3, None),
    '"partition"': (0, "5-0", 7),
    "source": (0, "ingest", 9, 7),
    "connection": (0, 0, "c", 0, 7, 1),
    "outbox": ("o", 1, "message", "{}", "pending", 3, None, ""),
    "deadletter": (0, "4-0", None, b"raw", "checksum", 3),
}


@pytest.fixture
def first_release(path, tmp_path):
    """A file of the first schema, made by its own statements, with a row in each table."""
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    shutil.copy(MIGRATIONS / "0001_initial.py", migrations)
    with closing(SqliteDatabase(path, pragmas={"journal_mode": "wal"})) as database:
        database.pragma("application_id", APPLICATION_ID)
        assert Runner(database, str(migrations)).up() == ["0001_initial"]
        for table, row in FIRST_ROWS.items():
            database.execute_sql(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    return path


def test_an_older_file_is_brought_up_to_date_and_keeps_its_rows(first_release):
    with closing(open_database(first_release)) as database:
        assert not diff_models(database, TABLES)
        for table, row in FIRST_ROWS.items():
            columns = _columns(database, table)
            new = [None] if table in _WITH_MORE else []
            assert columns == [*row, *new], table
    with closing(open_readonly(first_release)) as database:
        assert database.execute_sql("SELECT * FROM event").fetchall() == []


_WITH_MORE = ("session", "span", "connection")  # roles, doubts: nobody told of them yet


def _columns(database, table):
    if table == "deadletter":  # made anew: whose it was is known by its guild, and it had none
        sql = 'SELECT "partition", journal_id, guild_id, raw, reason, at, actor FROM deadletter'
        ((*columns, actor),) = database.execute_sql(sql).fetchall()
        assert not actor
    else:
        ((*columns,),) = database.execute_sql(f"SELECT * FROM {table}").fetchall()
    return columns


def test_an_older_file_is_not_read_before_it_is_up_to_date(first_release):
    assert "was written by an older Rollcall: `rollcall run`" in refusal(open_readonly, first_release)


def test_a_step_up_that_fails_leaves_the_older_file_as_it_was(first_release):
    with closing(sqlite3.connect(first_release)) as other:
        other.execute("CREATE TABLE forgotten (in_the_way)")
    assert "already exists" in refusal(open_database, first_release)
    with closing(sqlite3.connect(first_release)) as other:
        assert other.execute("SELECT name FROM schema_migration").fetchall() == [("0001_initial",)]
        assert other.execute("SELECT * FROM span").fetchall() == [FIRST_ROWS["span"]]


@pytest.mark.parametrize("opening", [open_database, open_readonly])
def test_a_newer_schema_is_refused_with_both_numbers(path, opening):
    with closing(open_database(path)) as database:
        database.execute_sql(
            "INSERT INTO schema_migration (name, applied) VALUES ('0007_later', '2030-01-01')"
        )
    text = refusal(opening, path)
    assert "was written by a newer Rollcall (schema 7, this one knows 6): upgrade" in text


@pytest.mark.parametrize("opening", [open_database, open_readonly])
def test_what_is_no_database_is_refused_and_stays(path, opening):
    path.write_bytes(b"a shopping list, and not a short one either\n" * 40)
    assert "is not a database: move it away" in refusal(opening, path)
    assert path.read_bytes().startswith(b"a shopping list")


def test_another_programs_database_is_refused_and_stays(path):
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE recipes (name)")
    assert "belongs to another program" in refusal(open_database, path)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]


def test_a_directory_that_cannot_be_made_is_told(path):
    path.write_text("")
    assert "cannot be used" in refusal(open_database, path / "below" / "rollcall.db")


def test_a_directory_in_the_files_place_is_told(path):
    path.mkdir()
    assert "cannot be used" in refusal(open_database, path)


def test_reading_needs_a_database_and_never_makes_one(path):
    assert "there is no database yet" in refusal(open_readonly, path)
    assert not path.exists()


def test_an_empty_file_is_not_read_as_an_empty_ledger(path):
    path.touch()
    assert "`rollcall run`" in refusal(open_readonly, path)


def test_a_reader_cannot_write(path):
    open_database(path).close()
    with closing(open_readonly(path)) as database, pytest.raises(Exception, match="readonly"):
        database.execute_sql("DELETE FROM session")
