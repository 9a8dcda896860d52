"""Who has the data directory. On its own, so that the daemon's parent need not load a Redis client for it."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.storage.protocols import StorageError


class DataDirLock:
    """Holds the data directory for one process; released when the process ends, however it ends.

    Entering raises ``StorageError`` that names the other process where there is one. ``name`` tells apart
    what may run beside each other.
    """

    def __init__(self, data_dir: Path, name: str = "rollcall") -> None:
        self._data_dir = data_dir
        self._path = data_dir / f"{name}.lock"
        self._fd = -1

    def __enter__(self) -> Self:
        try:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageError(
                f"cannot write to the data directory: {error.strerror} ({self._path})"
            ) from None
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = os.pread(self._fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            raise StorageError(
                f"{self._data_dir} is in use by pid {pid}: stop that one, or choose another storage.data_dir"
            ) from None
        # The file stays behind on purpose: removing it would let two processes lock two files of one name.
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.ftruncate(self._fd, 0)
        os.close(self._fd)
