"""Backups of the ledger: one file each, made beside a running engine, whole or not there at all.

A backup is a snapshot of one commit, with the journal's cursor in it. The journal keeps what came after it,
so that a ledger put back from it catches up to the very rows that were lost.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from engine.domain.partition import START
from engine.storage.aside import moment_from_name, moment_in_name, replacing
from engine.storage.database import driver, faults, mark_suspect, open_readonly
from engine.storage.protocols import StorageError
from engine.storage.soundness import first_fault
from engine.storage.wiping import wipe

PREFIX, SUFFIX = "rollcall-", ".db"
# 1 MiB a step, then a pause of as long as the step took: half a disk, and half a core, stay for the engine.
STEP_PAGES = 256
PAUSE_MAX_S = 0.1


class Standing(NamedTuple):
    """Where a partition stands in its journal.

    ``cursor``: the id up to which it has taken all; ``now``: its time (ms UTC); ``seqs``: of each life of a
    writer, the last number taken.
    """

    cursor: str = START
    now: int = 0
    seqs: dict[str, int] = {}  # noqa: RUF012 - never changed


class Backup(NamedTuple):
    """A backup that was just made. ``at``: when, in ms UTC; ``standings``: by partition."""

    path: Path
    size_bytes: int
    at: int
    standings: dict[int, Standing]


class BackupStopped(StorageError):  # noqa: N818 - an order, not an error
    """Somebody wanted the backup to end before it was done."""


def new_name(folder: Path, at: int) -> Path:
    """Return what a backup made at a moment is called."""
    return folder / f"{PREFIX}{moment_in_name(at)}{SUFFIX}"


def moment_of(backup: Path) -> int:
    """Return when a backup was made, as its name says, in ms UTC. Raises ``ValueError`` for another name."""
    return moment_from_name(backup.name.removeprefix(PREFIX).removesuffix(SUFFIX))


def backups_in(folder: Path) -> list[Path]:
    """Return the backups by their names, the newest first; of what else lies there, nothing."""
    try:
        found = [it for it in folder.iterdir() if _is_name(it)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(found, reverse=True)


def _is_name(path: Path) -> bool:
    try:
        return path.name == new_name(path.parent, moment_of(path)).name
    except ValueError:
        return False


def standings(path: Path) -> dict[int, Standing]:
    """Return where the partitions of a ledger or a backup stand. Raises ``StorageError``."""
    with faults(path), closing(reading(path)) as connection:
        seqs: dict[int, dict[str, int]] = {}
        for number, source, seq in connection.execute('SELECT "partition", source, seq FROM source'):
            seqs.setdefault(number, {})[source] = seq
        rows = connection.execute('SELECT number, cursor, now FROM "partition" ORDER BY number')
        return {number: Standing(cursor, now, seqs.get(number, {})) for number, cursor, now in rows}


def back_up(
    ledger: Path, target: Path, at: int, pause: Callable[[float], bool] = lambda _seconds: False
) -> Backup:
    """Write a backup of a ledger to ``target``, while its engine commits or does not run.

    Between two steps ``pause`` is called with the seconds to wait; if it returns true, the backup is given up
    with ``BackupStopped``. Raises ``StorageError`` where it cannot be made, and where the copy is not sound:
    then nothing is left of it, and what was at ``target`` before is still there.
    """
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(target) as partial:
            _copy(ledger, partial, pause)
            if fault := first_fault(partial, thorough=True):
                raise StorageError(_unsound(ledger, fault))
            _wipe(partial)
            found = Backup(target, partial.stat().st_size, at, standings(partial))
    except OSError as error:
        raise StorageError(
            f"cannot write the backup {target}: {error.strerror} ({error.filename})"
        ) from error
    return found


def _unsound(ledger: Path, fault: str) -> str:
    """Say why a copy is of no use. If the ledger is the reason, its engine is told."""
    if not first_fault(ledger, thorough=True):
        return f"the copy of {ledger} is not sound ({fault}): check the disk that holds the backups"
    mark_suspect(ledger)
    return f"{ledger} is damaged ({fault}): the engine puts it aside at its next start"


def _copy(ledger: Path, partial: Path, pause: Callable[[float], bool]) -> None:
    # Made beforehand, so that nobody else can read it whatever the process' umask is.
    os.close(os.open(partial, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600))
    stepped_at = time.monotonic()

    def pace(_status: int, _remaining: int, _total: int) -> None:
        nonlocal stepped_at
        took_s = time.monotonic() - stepped_at
        if pause(min(took_s, PAUSE_MAX_S)):
            raise BackupStopped(f"the backup of {ledger} was given up")
        stepped_at = time.monotonic()

    with _snapshot(ledger) as source, faults(partial), closing(_writing(partial)) as copy:
        source.backup(copy, pages=STEP_PAGES, progress=pace)
        copy.execute("PRAGMA journal_mode = delete")  # one file, that can be read from anywhere


def _wipe(partial: Path) -> None:
    """Leave nothing of the forgotten: a snapshot may be older than the ledger's own wiping."""
    with faults(partial), closing(_writing(partial)) as copy:
        wipe(copy, partial, [user_id for (user_id,) in copy.execute("SELECT user_id FROM forgotten")])


@contextmanager
def _snapshot(ledger: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection that stays at one commit: else a commit between two steps would start it anew."""
    with closing(open_readonly(ledger)) as database, faults(ledger):
        connection = driver(database)
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM sqlite_schema").fetchone()  # the first read is what takes it
        yield connection


def _writing(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    # Its name appears when it is on the disk: until then there is nothing to keep in order.
    connection.execute("PRAGMA synchronous = off")
    connection.execute("PRAGMA secure_delete = 1")
    return connection


def reading(path: Path) -> sqlite3.Connection:
    """Open a file of any schema for reading. What it raises is SQLite's."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
