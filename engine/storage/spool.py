"""What the journal's writer can neither send nor keep in memory: a bounded file, first in, first out.

    header   8 bytes magic, 8 bytes offset of the first record not yet taken
    record   4 bytes length of the rest, 4 bytes CRC-32 of the rest, 2 bytes partition, the encoded entry

All integers are big-endian. The file outlives its writer: the next one finds what is left and sends it first.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from struct import Struct
from typing import BinaryIO, NamedTuple
from zlib import crc32

import structlog

from engine.storage.aside import replacing
from engine.storage.protocols import StorageError

_MAGIC = b"ROLLSP01"
_HEADER = Struct(">8sQ")
_FRAME = Struct(">LL")
_PARTITION = Struct(">H")
_CHUNK_BYTES = 1 << 18

_log = structlog.get_logger(__name__)


class Spooled(NamedTuple):
    """One entry on its way to its partition's stream."""

    partition: int
    raw: bytes


class Spool:
    """The file, held by one writer at a time. Not thread-safe.

    Raises ``StorageError`` where the file cannot be opened, is another's, or is no spool.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._fd = _open(path)
        try:
            self._head = self._read_header()
            self._end, self.entries = self._scan()
        except BaseException:
            os.close(self._fd)
            raise

    @property
    def size_bytes(self) -> int:
        """How much of the file's bound is taken."""
        return self._end

    def put(self, records: Iterable[Spooled]) -> int:
        """Append records, on the disk when this returns; returns how many found room."""
        frames: list[bytes] = []
        end = self._end
        for record in records:
            frame = _frame(record)
            if end + len(frame) > self._max_bytes:
                break
            frames.append(frame)
            end += len(frame)
        self._write(b"".join(frames), self._end)
        os.fsync(self._fd)
        self._end = end
        self.entries += len(frames)
        return len(frames)

    def peek(self, count: int) -> tuple[list[Spooled], int]:
        """Return up to ``count`` of the oldest records, and the mark to ``take`` them by later."""
        records: list[Spooled] = []
        mark = self._head
        for record, end in self._records(self._head):
            records.append(record)
            mark = end
            if len(records) == count:
                break
        if self.entries and not records:
            raise OSError(
                f"{self._path} cannot be read back: start again, its damaged part is then kept aside"
            )
        return records, mark

    def take(self, count: int, mark: int) -> None:
        """Forget the ``count`` records up to ``mark``."""
        self.entries -= count
        self._set_head(mark)
        if mark >= self._end:
            # The head first: a crash in between sends the old records again, which is harmless. The other
            # way round it could skip new ones.
            self._set_head(_HEADER.size)
            os.ftruncate(self._fd, _HEADER.size)
            self._end = _HEADER.size

    def close(self) -> None:
        """Let go of the file; what it holds stays."""
        os.close(self._fd)

    def _read_header(self) -> int:
        header = os.pread(self._fd, _HEADER.size, 0)
        if len(header) < _HEADER.size:  # new, or its maker died at once
            self._set_head(_HEADER.size)
            return _HEADER.size
        magic, head = _HEADER.unpack(header)
        if magic != _MAGIC:
            raise StorageError(f"{self._path} is not a spool of this version: move it away and start again")
        return max(int(head), _HEADER.size)

    def _scan(self) -> tuple[int, int]:
        """Count what is left, and cut off a tail that a crash tore."""
        end, entries = self._head, 0
        for _, end in self._records(self._head):  # noqa: B007 - the last one counts
            entries += 1
        size = os.fstat(self._fd).st_size
        if size > end:
            self._cut(end, size - end)
        return end, entries

    def _cut(self, end: int, surplus: int) -> None:
        kept_as = self._keep_aside(os.pread(self._fd, surplus, end))
        os.ftruncate(self._fd, end)
        _log.warning("spool_tail_torn", path=str(self._path), cut_bytes=surplus, kept_as=kept_as)

    def _keep_aside(self, tail: bytes) -> str:
        """Keep what is cut off, for people, and say where; on a full disk the writer goes on without it."""
        aside = self._path.with_name(f"{self._path.name}.torn")
        try:
            with replacing(aside) as partial:
                partial.write_bytes(tail)
        except OSError as error:
            return f"not kept: {error.strerror}"
        return str(aside)

    def _records(self, start: int) -> Iterator[tuple[Spooled, int]]:
        """Yield whole records and where they end, up to the first that is not whole."""
        with open(self._fd, "rb", buffering=_CHUNK_BYTES, closefd=False) as file:
            end = file.seek(start)
            while (record := _read(file)) is not None:
                end += _FRAME.size + _PARTITION.size + len(record.raw)
                yield record, end

    def _set_head(self, head: int) -> None:
        self._head = head
        self._write(_HEADER.pack(_MAGIC, head), 0)

    def _write(self, data: bytes, offset: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._fd, view, offset)
            view, offset = view[written:], offset + written


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(f"cannot open the spool {path}: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise StorageError(f"the spool {path} is in use by another process: stop that one first") from None
    return fd


def _frame(record: Spooled) -> bytes:
    body = _PARTITION.pack(record.partition) + record.raw
    return _FRAME.pack(len(body), crc32(body)) + body


def _read(file: BinaryIO) -> Spooled | None:
    frame = file.read(_FRAME.size)
    if len(frame) < _FRAME.size:
        return None
    length, checksum = _FRAME.unpack(frame)
    body = file.read(length)
    if length < _PARTITION.size or len(body) < length or crc32(body) != checksum:
        return None
    (partition,) = _PARTITION.unpack_from(body)
    return Spooled(partition, body[_PARTITION.size :])
