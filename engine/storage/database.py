"""The SQLite file: how it is opened, what must hold of it, and how its faults are told."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from peewee import DatabaseError, InterfaceError, PeeweeException, SqliteDatabase
from playhouse.migrations import Migration, Runner

from engine.storage.protocols import StorageBusy, StorageError, StorageUnfit

MIGRATIONS = Path(__file__).with_name("migrations")
# Stands in the file's header (PRAGMA application_id), so that no other program's file is taken for ours.
APPLICATION_ID = int.from_bytes(b"Roll")

BUSY_TIMEOUT_MS = 5_000
CACHE_KIB = 256 * 1024  # an upper bound: no more is taken than the file has
READER_CACHE_KIB = 8 * 1024
# Pages of the log between two checkpoints (32 MiB). A page written by several commits is copied back once.
CHECKPOINT_PAGES = 8_192
# FULL: a commit is on the disk when it returns. NORMAL could lose the last ones with the power.
DURABLE: dict[str, int | str] = {
    "journal_mode": "wal",
    "synchronous": "full",
    "busy_timeout": BUSY_TIMEOUT_MS,
    "foreign_keys": 1,
    "wal_autocheckpoint": CHECKPOINT_PAGES,
    "journal_size_limit": CHECKPOINT_PAGES * 4096,
    "temp_store": "memory",
    # What is deleted is overwritten with zeros: who asked to be forgotten is not to be found in free pages.
    "secure_delete": 1,
}

# The driver looks for an adapter of each None that it binds, and finding none takes it twice as long as being
# given this one, which returns None.
sqlite3.register_adapter(type(None), dict[None, None]().get)

# The same call may succeed later. Anything else will fail again.
_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


def open_database(path: Path, *, cache_kib: int = CACHE_KIB) -> SqliteDatabase:
    """Open the ledger's file and bring its schema up to date. The connection may go from thread to thread.

    Raises ``StorageError`` where there is no writable database of a schema that this Rollcall knows.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(_unusable(path, error.strerror or str(error))) from error
    database = _connected(path, str(path), DURABLE | {"cache_size": -cache_kib})
    with _closed_on_error(database), faults(path):
        _check_owner(path, database)
        _migrate(path, database)
    return database


def open_readonly(path: Path) -> SqliteDatabase:
    """Open the ledger's file for reading only, beside a running daemon or without one.

    Raises ``StorageError`` where there is none yet, or none of this schema.
    """
    if not path.is_file():
        raise StorageError(f"{path}: there is no database yet; `rollcall run` makes it")
    pragmas = {"busy_timeout": BUSY_TIMEOUT_MS, "cache_size": -READER_CACHE_KIB}
    database = _connected(path, f"{path.absolute().as_uri()}?mode=ro", pragmas)
    with _closed_on_error(database), faults(path):
        _check_owner(path, database)
        if _missing(path, database):
            raise StorageError(
                f"{path} was written by an older Rollcall: `rollcall run` brings it up to date"
            )
    return database


def _connected(path: Path, name: str, pragmas: Mapping[str, int | str]) -> SqliteDatabase:
    database = SqliteDatabase(
        name, pragmas=pragmas, thread_safe=False, check_same_thread=False, uri=name.startswith("file:")
    )
    with faults(path):
        database.connect()
    return database


def driver(database: SqliteDatabase) -> sqlite3.Connection:
    """Return the driver's own connection, for what peewee would be too slow for."""
    connection: sqlite3.Connection = database.connection()  # type: ignore[no-untyped-call]
    return connection


@contextmanager
def _closed_on_error(database: SqliteDatabase) -> Iterator[None]:
    try:
        yield
    except BaseException:
        database.close()
        raise


def _check_owner(path: Path, database: SqliteDatabase) -> None:
    owner = database.pragma("application_id")
    if owner != APPLICATION_ID and (owner or database.get_tables()):
        raise StorageUnfit(f"{path} belongs to another program: point storage.database elsewhere")


def _migrate(path: Path, database: SqliteDatabase) -> None:
    if not _missing(path, database):
        return
    with database.atomic("IMMEDIATE"):  # of two that start at once, the second finds nothing left to do
        database.pragma("application_id", APPLICATION_ID)
        Runner(database, str(MIGRATIONS)).up()


def _missing(path: Path, database: SqliteDatabase) -> set[str]:
    """Return the migrations that the file has not seen. Raises ``StorageError`` if it has seen others."""
    known = {it.name for it in Migration.load_directory(str(MIGRATIONS))}
    applied = set[str]()
    if database.table_exists("schema_migration"):
        applied = {name for (name,) in driver(database).execute("SELECT name FROM schema_migration")}
    if applied - known:
        raise StorageUnfit(
            f"{path} was written by a newer Rollcall (schema {_newest(applied)}, "
            f"this one knows {_newest(known)}): upgrade, or point storage.database elsewhere"
        )
    return known - applied


def _newest(migrations: set[str]) -> int:
    return max(int(name.partition("_")[0]) for name in migrations)


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Tell SQLite's errors as ``StorageBusy`` or ``StorageError``, in one line."""
    try:
        yield
    except (sqlite3.Error, DatabaseError, InterfaceError) as error:
        raise _told(path, error) from error
    except UnicodeDecodeError as error:  # SQLite's own words, of a schema that is no text any more
        mark_suspect(path)
        raise StorageError(_unusable(path, "its schema is no text")) from error


def _told(path: Path, error: sqlite3.Error | PeeweeException) -> StorageError:
    original = getattr(error, "orig", error)
    code = getattr(original, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # without the extension
    if code == sqlite3.SQLITE_CORRUPT:
        mark_suspect(path)
    if code in _PASSING:
        return StorageBusy(f"{path}: {original}")
    if code == sqlite3.SQLITE_NOTADB:
        return StorageUnfit(f"{path} is not a database: move it away, or point storage.database elsewhere")
    return StorageError(_unusable(path, str(original)))


def suspect_mark(path: Path) -> Path:
    """Return the file whose being there says that somebody came upon damage in a ledger."""
    return path.with_name(f"{path.name}.suspect")


def mark_suspect(path: Path) -> None:
    """Have the engine end, and its next start look at the ledger thoroughly."""
    with suppress(OSError):  # who may only read cannot tell
        suspect_mark(path).touch()


def _unusable(path: Path, reason: str) -> str:
    return f"{path} cannot be used ({reason}): check storage.database and the rights to it and its directory"
