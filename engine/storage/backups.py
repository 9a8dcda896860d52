"""Automatic backups: one every few hours, on a thread of its own, the old ones removed once it is whole.

Each start waits a minute, in which the engine catches up. Who is forgotten is to be in no backup: as long as
one has rows of theirs, the next is made at once, and takes the place of those; the others stay.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import TypeAlias

import structlog

from engine.storage.aside import remove_partial
from engine.storage.backup import (
    Backup,
    BackupStopped,
    Standing,
    back_up,
    backups_in,
    moment_of,
    new_name,
    reading,
    standings,
)
from engine.storage.database import faults
from engine.storage.forgetting import is_known
from engine.storage.protocols import StorageError

FIRST_S = 60.0  # after a start
LOOK_EVERY_S = 30.0
AGAIN_S = 600.0  # after a failure

Forgotten: TypeAlias = tuple[int, int, int]  # partition, user, up to when
Newest: TypeAlias = tuple[int | None, str, int]  # when made, where, bytes
_NONE: tuple[Mapping[int, Standing], Newest] = ({}, (None, "", 0))

_log = structlog.get_logger(__name__)


@dataclass
class BackupStats:
    """What others may read at any time. Moments in ms UTC, None: there was none."""

    last_at: int | None = None
    last_file: str = ""
    last_bytes: int = 0
    kept: int = 0
    failures: int = 0
    last_error: str = ""


class Backups:
    """Makes backups of ``ledger`` in ``folder``, one every ``every_s``, of which ``keep`` stay.

    With ``every_s`` 0 it makes none by itself, and only looks at those that others make there.

    ``needed``: by partition, where the newest backup stands; the journal is kept from there on (``START``:
    all of it, there is no backup yet).
    """

    def __init__(
        self,
        ledger: Path,
        folder: Path,
        *,
        every_s: float,
        keep: int,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._ledger, self._folder = ledger, folder
        self._every_ms, self._keep, self._now = round(every_s * 1000), keep, now
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="backups", daemon=True)
        self.stats = BackupStats()
        self._needed: Mapping[int, Standing] = {}
        self._made_at: dict[Path, int] = {}  # by the clock: the last one, named later where that stood ahead
        self._looking = threading.Lock()
        self._seen: list[Path] = []
        self._clear: dict[Path, frozenset[Forgotten]] = {}  # by backup: of whom it has nothing
        if self.automatic:
            remove_partial(folder)
        self.look()

    @property
    def automatic(self) -> bool:
        """Say whether any are made by themselves."""
        return self._every_ms > 0

    def needed_after(self, partition: int) -> str:
        """Return the journal's id after which the newest backup would need it."""
        return self._needed.get(partition, Standing()).cursor

    def look(self) -> BackupStats:
        """Return the stats of what lies in the folder now, whoever has put it there."""
        with self._looking, suppress(OSError):
            known = backups_in(self._folder)
            if known != self._seen:
                self._note(known)
                self._seen = known
        return self.stats

    def start(self) -> None:
        """Begin, in a minute."""
        self._thread.start()

    def stop(self) -> None:
        """Give up a backup under way, of which then nothing is left."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def make(self) -> Backup:
        """Make a backup now, then remove the old ones. Raises ``StorageError``."""
        known = backups_in(self._folder)
        # Whatever the clock does, the newest has the last name.
        now = self._now()
        at = max(now, moment_of(known[0]) + 1 if known else 0)
        backup = back_up(self._ledger, new_name(self._folder, at), at, self._stopping.wait)
        self._made_at = {backup.path: now}
        forgotten = _forgotten(backup.path)
        for number, older in enumerate(known, start=1):
            if number >= self._keep or self._has(older, forgotten):
                older.unlink(missing_ok=True)
                self._clear.pop(older, None)
        self.look()
        return backup

    def due(self) -> bool:
        """Say whether it is time for the next one."""
        known = backups_in(self._folder)
        if not known:
            return True
        last_at = self._made_at.get(known[0], moment_of(known[0]))
        if not 0 <= self._now() - last_at < self._every_ms:
            return True
        forgotten = _forgotten(self._ledger)
        return any(self._has(it, forgotten) for it in known)

    def _run(self) -> None:
        wait_s = min(FIRST_S, self._every_ms / 1000)
        while not self._stopping.wait(wait_s):
            wait_s = min(LOOK_EVERY_S, self._every_ms / 1000)
            try:
                if self.due():
                    self._made(self.make())
            except BackupStopped:
                return
            except Exception as error:  # noqa: BLE001 - the disk, a lock, a defect: the next one may succeed
                self._failed(error)
                wait_s = AGAIN_S

    def _made(self, backup: Backup) -> None:
        self.stats.last_error = ""
        _log.info("backup_made", file=str(backup.path), size_bytes=backup.size_bytes, kept=self.stats.kept)

    def _failed(self, error: Exception) -> None:
        self.stats.failures += 1
        self.stats.last_error = str(error)
        _log.error("backup_failed", reason=str(error), again_in_s=AGAIN_S)

    def _has(self, backup: Path, forgotten: frozenset[Forgotten]) -> bool:
        """Say whether a backup has rows of the forgotten. Each is looked for once: no backup changes."""
        news = forgotten - self._clear.get(backup, frozenset())
        if news and _tells_of(backup, news):
            return True
        self._clear[backup] = forgotten
        return False

    def _note(self, known: list[Path]) -> None:
        """Take the newest that can be read; all at once, for those who read meanwhile."""
        needed, newest = next(filter(None, map(_newest, known)), _NONE)
        self._needed = needed
        self.stats.last_at, self.stats.last_file, self.stats.last_bytes = newest
        self.stats.kept = len(known)


def _newest(path: Path) -> tuple[Mapping[int, Standing], Newest] | None:
    with suppress(StorageError, OSError):
        return standings(path), (moment_of(path), str(path), path.stat().st_size)
    return None


def _forgotten(path: Path) -> frozenset[Forgotten]:
    """Return who is forgotten in a ledger or a backup. Raises ``StorageError``."""
    with faults(path), closing(reading(path)) as connection:
        return _forgotten_in(connection)


def _forgotten_in(connection: Connection) -> frozenset[Forgotten]:
    return frozenset(connection.execute('SELECT "partition", user_id, at FROM forgotten'))


def _tells_of(backup: Path, forgotten: frozenset[Forgotten]) -> bool:
    """Say whether a backup has rows of somebody who was forgotten after it was made.

    One that cannot be read may have some: it is of no use as a backup, either.
    """
    try:
        with faults(backup), closing(reading(backup)) as connection:
            later = forgotten - _forgotten_in(connection)
            return any(is_known(connection, user_id, number) for number, user_id, _ in later)
    except StorageError:
        return True
