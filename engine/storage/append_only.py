"""The embedded server's append-only file: found damaged, kept aside, cut back to what is whole.

The server itself forgives a torn tail only; it refuses the block of zeros that a power loss leaves. The file
is checked before each start, at some 300 MB a second.
"""

import shutil
from itertools import count
from pathlib import Path

import structlog

from engine.storage.protocols import StorageError
from engine.storage.server_binary import ServerBinary

_FOLDER = "appendonlydir"
_MANIFEST = "appendonly.aof.manifest"

_log = structlog.get_logger(__name__)


def repair(folder: Path, binary: ServerBinary) -> int:
    """Cut off what cannot be loaded from the newest file in ``folder``; return how many bytes that were.

    A copy of the damaged file stays in ``folder``. The base file is not looked at: it carries a checksum, and
    nothing but a copy of it can replace it. Raises ``StorageError`` where the tool cannot repair the file.
    """
    file = _newest(folder / _FOLDER)
    if file is None or binary.check_append_only(file).returncode == 0:
        return 0
    aside = _free_name(folder, file.name)
    shutil.copy2(file, aside)
    fixed = binary.check_append_only(file, "--fix")
    if fixed.returncode != 0:
        raise StorageError(
            f"{file} is damaged and cannot be repaired (a copy is {aside}): move {folder / _FOLDER} away to "
            f"start with an empty journal"
        )
    cut = aside.stat().st_size - file.stat().st_size
    _log.error("append_only_file_repaired", file=str(file), cut_bytes=cut, kept_as=str(aside))
    return cut


def _newest(folder: Path) -> Path | None:
    """Return the file that the server appends to; only that one can have been torn."""
    try:
        manifest = (folder / _MANIFEST).read_text().split("\n")
    except FileNotFoundError:
        return None
    # "file NAME seq NUMBER type b|h|i": base, history, increment. The newest comes last.
    increments = [line.split()[1] for line in manifest if line.endswith(" type i")]
    file = folder / increments[-1] if increments else None
    return file if file is not None and file.exists() and file.stat().st_size else None


def _free_name(folder: Path, name: str) -> Path:
    return next(path for number in count(1) if not (path := folder / f"{name}.damaged-{number}").exists())
