"""What must be done that nothing of someone forgotten is left in the ledger's files.

The rows are gone with the transaction. SQLite overwrites what it deletes (``secure_delete``); but its log
keeps the pages as they were until it is copied back, and where a page was split, bytes of what moved to the
other half may lie in the gap of the first, out of reach of any later deletion: only a rewrite gets there.
"""

from collections.abc import Iterable
from pathlib import Path
from sqlite3 import Connection

from engine.storage.database import BUSY_TIMEOUT_MS
from engine.storage.forgetting import guilds_of

# How long a reader is waited for: the next try comes soon.
PATIENCE_MS = 250
CHUNK_BYTES = 1 << 22
# Of smaller integers SQLite writes fewer bytes, which may stand anywhere. Discord's ids are all above.
SMALLEST_SOUGHT = 1 << 47
ID_BYTES = 8


def wipe(connection: Connection, path: Path, forgotten: Iterable[int]) -> bool:
    """Leave of these users only that they are forgotten. False where a reader is in the way: try again later.

    Where their bytes are found, the whole file is written anew; nobody else writes meanwhile. Those of whom
    there are rows (they came back, or another partition forgets them next) are not looked for.
    """
    if not empty_log(connection):
        return False
    gone = [it for it in forgotten if it >= SMALLEST_SOUGHT and not guilds_of(connection, it)]
    if not any(_is_left(connection, path, user_id) for user_id in gone):
        return True
    rewrite(connection)
    return empty_log(connection)


def empty_log(connection: Connection) -> bool:
    """Copy the log into the file and cut it to nothing. False where a reader still needs it."""
    connection.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    return not busy


def rewrite(connection: Connection) -> None:
    """Write the file anew, without what is not in it any more."""
    # The copy is as large as the ledger: it goes to a file, which is removed as soon as it is made.
    connection.execute("PRAGMA temp_store = file")
    try:
        connection.execute("VACUUM")
    finally:
        connection.execute("PRAGMA temp_store = memory")


def _is_left(connection: Connection, path: Path, user_id: int) -> bool:
    """Say whether an id stands in the file besides the rows that say that it is forgotten."""
    (rows,) = connection.execute("SELECT count(*) FROM forgotten WHERE user_id = ?", (user_id,)).fetchone()
    packed, written = user_id.to_bytes(ID_BYTES, "big"), str(user_id).encode()
    return occurrences(path, packed) > rows or occurrences(path, written) > 0


def occurrences(path: Path, mark: bytes) -> int:
    """Count how often some bytes stand in a file. In portions, between which other threads may go on."""
    found, rest = 0, b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            found += (rest + chunk).count(mark)
            rest = chunk[1 - len(mark) :]
    return found
