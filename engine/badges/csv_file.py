"""Badges as rows of a CSV file, each exactly once: what the file holds is what was delivered."""

import csv
import io
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from engine.badges.delivery import Outcome, Settle
from engine.domain.cells import cell
from engine.domain.deliveries import Badge
from engine.domain.views import iso
from engine.storage.protocols import StorageError

log = structlog.get_logger(__name__)

COLUMNS = ("event_id", "event_name", "guild_id", "user_id", "awarded_at", "badge_id")
_BADGE_ID = COLUMNS.index("badge_id")


class CsvFile:
    """The distributor ``csv``. A row is on the disk before its badge counts as delivered.

    The file may be moved away, and read or edited by others while nobody writes: before each batch it is
    looked at, and read anew if it is not as it was left.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: set[str] = set()
        self._left: tuple[int, ...] | None = None  # how the file was left

    def take(self, badges: Sequence[Badge], settle: Settle) -> None:
        """Append the badges that the file does not hold yet.

        Raises ``OSError``, and ``StorageError`` where the file is not one of ours.
        """
        with self._opened() as file:
            if _state(file) != self._left:
                self._known = self._read(file)
            missing = {it.badge_id: it for it in badges if it.badge_id not in self._known}
            if missing:
                self._append(file, list(missing.values()))
            self._left = _state(file)
        for it in badges:
            settle(it.badge_id, Outcome(ok=True))

    async def close(self) -> None:
        """Do nothing: the file is open only while it is written."""

    @contextmanager
    def _opened(self) -> Iterator[int]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Without NONBLOCK, a pipe in its place would hold up the thread.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
        file = os.open(self._path, flags, 0o600)
        try:
            self._check(file)
            yield file
        except BaseException:
            self._left = None
            raise
        finally:
            os.close(file)

    def _check(self, file: int) -> None:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise StorageError(f"{self._path} is no file: name another in events.badge_file")

    def _read(self, file: int) -> set[str]:
        """Return the ids of the badges in the file, and cut off a line that a crash left torn."""
        known, whole, first = set[str](), 0, True
        os.lseek(file, 0, os.SEEK_SET)
        with open(file, "rb", closefd=False) as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    self._cut(file, whole, line)
                    break
                whole += len(line)
                row = _parsed(line)
                if first and tuple(row) != COLUMNS:
                    raise StorageError(f"{self._path} does not begin with {','.join(COLUMNS)}: move it away")
                if not first and len(row) == len(COLUMNS):
                    known.add(row[_BADGE_ID])
                first = False
        return known

    def _cut(self, file: int, whole: int, torn: bytes) -> None:
        log.warning(
            "badge_file_repaired", file=str(self._path), cut_bytes=len(torn)
        )  # whose: not for the log
        os.ftruncate(file, whole)
        os.fsync(file)

    def _append(self, file: int, badges: Sequence[Badge]) -> None:
        size = os.fstat(file).st_size
        try:
            _write(file, _rows(badges, header=size == 0))
            os.fsync(file)
            if size == 0:
                _sync_folder(self._path.parent)
        except OSError:
            with suppress(OSError):  # else the next look finds the torn line
                os.ftruncate(file, size)
            raise
        self._known.update(it.badge_id for it in badges)


def _rows(badges: Sequence[Badge], *, header: bool) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(COLUMNS)
    for it in badges:
        name = cell(it.event_name or "")
        writer.writerow((it.event_id, name, it.guild_id, it.user_id, iso(it.awarded_at), it.badge_id))
    return text.getvalue().encode(errors="replace")


def _parsed(line: bytes) -> list[str]:
    """Return a line's cells; none where it is no row, as a crash of the machine may leave in the file."""
    if b"\0" in line:
        return []
    with suppress(csv.Error, UnicodeDecodeError):
        return next(csv.reader([line.decode("utf-8-sig")]), [])
    return []


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _state(file: int) -> tuple[int, ...]:
    it = os.fstat(file)
    return it.st_dev, it.st_ino, it.st_size, it.st_mtime_ns


def _sync_folder(folder: Path) -> None:
    """Have a new file's name on the disk too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
