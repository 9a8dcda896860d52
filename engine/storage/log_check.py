"""Whether SQLite takes all of a ledger's log that was ever committed to it.

Each frame of the log continues the checksum of the one before, so at a damaged one SQLite stops, and takes
what came before it for all there is. That would be but an older ledger; but pages of later commits may have
been copied into the file already, and then what is read is of no moment that ever was. So commits that lie
behind the last one taken are damage, unless there is a single one: that was torn, and never promised. So is
a log that ends before what was copied from it, which the index in shared memory still says after a kill.

The formats are SQLite's: https://sqlite.org/walformat.html and https://sqlite.org/fileformat2.html#walformat.
"""

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from sqlite3 import Connection
from struct import Struct

PAGE_BYTES = 4096
_HEADER = Struct(">8L")  # magic, version, page size, sequence, two salts, two checksums
_FRAME = Struct(">6L")  # page, pages of the database after a commit (else 0), two salts, two checksums
# Of the index in shared memory, in the machine's byte order: the last frame that was taken.
_TAKEN = Struct("=16xL")
# And the salts of the log that it is of, and how many frames were copied back.
_COPIED = Struct("=32x8s56xL")
_TORN = 1


def copied_back(path: Path) -> int:
    """Return how many frames of the log were in the file already when its last writer was killed.

    To be asked before the database is opened, which writes the index anew; 0 where it does not tell.
    """
    try:
        with path.with_name(f"{path.name}-shm").open("rb") as index:
            told = index.read(_COPIED.size)
        with path.with_name(f"{path.name}-wal").open("rb") as log:
            salts = log.read(_HEADER.size)[16:24]
    except FileNotFoundError:
        return 0
    if len(told) < _COPIED.size:
        return 0
    of_index, copied = _COPIED.unpack(told)
    return int(copied) if of_index == salts else 0


def log_fault(path: Path, connection: Connection, copied: int) -> str:
    """Return what is wrong with the log of a database that a connection has open, "" if nothing is.

    ``copied``: see ``copied_back``.
    """
    connection.execute(
        "SELECT count(*) FROM sqlite_schema"
    ).fetchone()  # the first read is what takes the log
    log = path.with_name(f"{path.name}-wal")
    with suppress(FileNotFoundError):
        taken = _taken(path.with_name(f"{path.name}-shm"))
        behind = sum(number > taken for number in _commits(log))
        if copied > taken:
            return f"its log ends after frame {taken}, and {copied} frames of it are in the file already"
        if behind > _TORN:
            return f"its log is damaged after frame {taken}: {behind} commits behind that are not taken"
    return ""


def _taken(index: Path) -> int:
    with index.open("rb") as file:
        head = file.read(_TAKEN.size)
    return int(_TAKEN.unpack(head)[0]) if len(head) == _TAKEN.size else sys.maxsize


def _commits(log: Path) -> Iterator[int]:
    """Yield the numbers of the frames that end a commit; the first frame is 1.

    Behind them lie those of an earlier round, which have other salts.
    """
    salts = None
    with log.open("rb") as file:
        file.seek(_HEADER.size)
        number = 0
        while len(head := file.read(_FRAME.size)) == _FRAME.size:
            number += 1
            _, pages, *found = _FRAME.unpack(head)
            salts = salts or found[:2]
            if pages and found[:2] == salts:
                yield number
            file.seek(PAGE_BYTES, 1)
