"""Whether a ledger's file is sound: looked at before each start, and of each backup.

What is promised: a page that is no longer what SQLite wrote is found, wherever that shows in the structure of
the file; so is a table that has lost a column, and, in a thorough look, an index that does not say what its
table says, and a value that cannot be read as what it is. What is not: a byte that became another inside a
text or a number. SQLite keeps no checksums of pages, so such a value reads like any other.

A quick look takes some 2.5 s a GB, a thorough one 25 (measured with a million sessions, in memory).
"""

import re
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from engine.storage.database import APPLICATION_ID, MIGRATIONS, faults, suspect_mark
from engine.storage.log_check import copied_back, log_fault
from engine.storage.models import TABLES
from engine.storage.protocols import StorageUnfit
from engine.storage.value_check import value_fault

# A ledger as small as this is looked at thoroughly: it takes less than a second.
THOROUGH_BYTES = 32 << 20
# One larger than this is looked at only where its last engine did not end in order: it takes longer than 5 s.
ALWAYS_BYTES = 2 << 30

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_ID_AT = 68
_VERSIONS_AT = 18
# Of the file's format: rollback journal, log. Of others SQLite reads, and refuses to write.
_VERSIONS = {1, 2}
_CHUNK_BYTES = 1 << 22
# Tells our file from another's where the beginning of it is lost.
_OURS = (b"joined_slack_ms", b"left_slack_ms", b"eventsession")
# These SQLites see a NULL in each row of a table without rowid whose primary key has its columns in another
# order than the table: https://sqlite.org/releaselog/3_41_1.html. What they say of NULLs is looked after.
_SEES_NULLS = (3, 40, 0) <= sqlite3.sqlite_version_info <= (3, 41, 0)
_NULL = re.compile(r"NULL value in (\w+)\.(\w+)")
_ALL = 1_000_000_000
# These tell of the surroundings, not of the file.
_AROUND = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_INTERRUPT,
}


def first_fault(path: Path, *, thorough: bool) -> str:
    """Return the first thing found wrong with a ledger's file, one line; "" if nothing is.

    Raises ``StorageError`` where it cannot be looked at, ``StorageUnfit`` for the file of another program or
    of a newer Rollcall: those are not damaged.
    """
    try:
        copied = copied_back(path)
        with closing(_opened(path)) as connection:
            fault = (
                _owner(path, connection)
                or log_fault(path, connection, copied)
                or _structure(path, connection, thorough=thorough)
                or _schema(connection, thorough=thorough)
            )
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _AROUND:
            with faults(path):
                raise
        fault = str(error)
    except UnicodeDecodeError:  # the driver cannot read what SQLite says of it
        fault = "its schema is no text"
    return " ".join(fault.split())


def look_at_start(path: Path) -> str:
    """Return what is wrong with the ledger that an engine is about to open; see ``first_fault``.

    How closely it looks depends on the file's size, and on whether somebody came upon damage.
    """
    suspect, size = suspect_mark(path), path.stat().st_size
    thorough = suspect.exists() or size <= THOROUGH_BYTES
    if not thorough and size > ALWAYS_BYTES and not _has_log(path):
        return ""
    fault = first_fault(path, thorough=thorough)
    suspect.unlink(missing_ok=True)
    return fault


def _has_log(path: Path) -> bool:
    """Say whether the last writer ended out of order. Who only reads may leave an empty log behind."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except FileNotFoundError:
        return False


def _opened(path: Path) -> sqlite3.Connection:
    # For reading: the last writer to close copies the log into the file; a damaged one must stay as it is.
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    connection.text_factory = lambda text: text.decode(errors="replace")
    return connection


def _owner(path: Path, connection: sqlite3.Connection) -> str:
    """Return what is wrong with the file's name tag. Raises ``StorageUnfit`` for another program's file."""
    try:
        ((owner,),) = connection.execute("PRAGMA application_id")
        ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.DatabaseError:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
        if header[_ID_AT:][:4] == APPLICATION_ID.to_bytes(4) or _mentions(path, *_OURS):
            raise
        what = "belongs to another program" if header.startswith(_MAGIC) else "is not a database"
        raise StorageUnfit(f"{path} {what}: move it away, or point storage.database elsewhere") from None
    if owner == APPLICATION_ID or (not owner and not tables):
        return ""
    if not _mentions(path, *_OURS):
        raise StorageUnfit(f"{path} belongs to another program: point storage.database elsewhere")
    return "its header is that of another program"


def _mentions(path: Path, *marks: bytes) -> bool:
    """Say whether any of some bytes stand in the file or its log."""
    longest = max(map(len, marks))
    for part in (path, path.with_name(path.name + "-wal")):
        rest = b""
        with suppress(FileNotFoundError), part.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                if any(mark in rest + chunk for mark in marks):
                    return True
                rest = chunk[-longest:]
    return False


def _structure(path: Path, connection: sqlite3.Connection, *, thorough: bool) -> str:
    with path.open("rb") as file:
        versions = file.read(_ID_AT)[_VERSIONS_AT : _VERSIONS_AT + 2]
    if not _VERSIONS.issuperset(versions):
        return "its header asks for another version of SQLite"
    look = "integrity_check" if thorough else "quick_check"
    told = (line for (line,) in connection.execute(f"PRAGMA {look}({_ALL if _SEES_NULLS else 1})"))
    unfounded: set[str] = set()
    for fault in told:
        if fault != "ok" and fault not in unfounded:
            if not _SEES_NULLS or _holds(connection, fault):
                return str(fault)
            unfounded.add(fault)
    return ""


def _holds(connection: sqlite3.Connection, fault: str) -> bool:
    """Say whether a fault is one: where a NULL was seen, whether there is any."""
    seen = _NULL.fullmatch(fault)
    if seen is None:
        return True
    table, column = seen.groups()
    query = f"SELECT 1 FROM [{table}] WHERE typeof([{column}]) = 'null' LIMIT 1"  # noqa: S608 - names of the schema
    return connection.execute(query).fetchone() is not None


def _schema(connection: sqlite3.Connection, *, thorough: bool) -> str:
    """Return what is wrong with the tables; nothing is of a file whose migrations are not all done yet."""
    if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'schema_migration'").fetchone():
        return ""
    applied = {name for (name,) in connection.execute("SELECT name FROM schema_migration")}
    known = {it.stem for it in MIGRATIONS.glob("[0-9]*.py")}
    if missing := known - applied:
        garbled = applied - known  # a newer Rollcall's file has all of ours
        return f"its list of migrations has {min(garbled)!r} and lacks {min(missing)!r}" if garbled else ""
    for table in TABLES:
        # In brackets: what is unknown in double quotes SQLite takes for a text.
        columns = ", ".join(f"[{it.column_name}]" for it in table._meta.sorted_fields)  # noqa: SLF001 - documented
        connection.execute(f"SELECT {columns} FROM [{table._meta.table_name}] LIMIT 0")  # noqa: S608, SLF001 - our own names
    return value_fault(connection) if thorough else ""
