"""Room on the disk for the embedded server, which ends at the first write that fails."""

import os
import shutil
import time
from pathlib import Path

import structlog

from engine.storage.protocols import StorageError

ROOM_BYTES = 4 << 20  # enough for the ingest to hand over what waited, and for a start's own small files
LOOK_S = 0.2

_log = structlog.get_logger(__name__)


def await_room(folder: Path, needed: int = ROOM_BYTES) -> None:
    """Return once the disk has room: a server started before would end, until its parent gave it up.

    Raises ``StorageError`` if the parent ended meanwhile, ``OSError`` where there is no such folder.
    """
    parent, free = os.getppid(), _free(folder)
    if free < needed:
        _log.error("disk_full", folder=str(folder), free_bytes=free, needed_bytes=needed)
    while _free(folder) < needed:
        if os.getppid() != parent:
            raise StorageError(f"there is no room on the disk of {folder}, and nobody waits for it any more")
        time.sleep(LOOK_S)


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free
