"""The embedded server's append-only file: looked at before each start, put aside and mended where damaged.

The server itself forgives a torn tail only. It refuses a block of zeros, and a name that is no command's; and
it loads a file whose entries are out of order without a word, passing over them. Whatever is found, a copy of
the whole folder stays. What was cut is told; which entries of the journal are missing, their reader tells by
the numbers that they carry.

Nothing that the server answered for is lost by a torn tail: it answers when a write is on the disk
(``appendfsync always``). Looking takes about a second for 50 MB, and the server writes the file anew (as a
snapshot with a checksum) before it has twice the size of the last snapshot, or 64 MB.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple

import structlog

from engine.storage.aof_mending import mended
from engine.storage.aof_scan import Data, is_sound
from engine.storage.aside import copy_aside, replacing
from engine.storage.room import ROOM_BYTES, await_room
from engine.storage.server_binary import ServerBinary

_FOLDER = "appendonlydir"
_MANIFEST = "appendonly.aof.manifest"
_LINE = re.compile(r"file (\S+) seq \d+ type ([bhi])(?: .*)?")
_FILE = re.compile(r"appendonly\.aof\.(\d+)\.(base|incr)\.(?:rdb|aof)")
_DAY_MS = 86_400_000

_log = structlog.get_logger(__name__)


@dataclass
class Repair:
    """What was done, in all files. ``dropped``: files that nothing could be had of."""

    damaged: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    cut_bytes: int = 0
    cut_entries: int = 0
    renumbered: int = 0


def repair(folder: Path, binary: ServerBinary, at: int | None = None) -> Repair | None:
    """Have files in ``folder`` that load; return what was done to them, None where nothing had to be.

    Waits for the room that it takes. ``at``: now, in ms UTC. Raises ``OSError`` where a copy cannot be made:
    then nothing was changed.
    """
    files = folder / _FOLDER
    if not files.is_dir():
        return None
    at = time.time_ns() // 1_000_000 if at is None else at
    found = _listed(files)
    wanted = [it for it in found if (files / it.name).exists()] if found else _there(files)
    damaged = [it for it in wanted if not _is_sound(files / it.name, binary, at)]
    if wanted == found and not damaged:
        return None
    await_room(folder, ROOM_BYTES + _room_for(files, damaged))
    kept_as = copy_aside(files, at)
    done = _mend(files, damaged, at)
    done.dropped += [it.name for it in found if it not in wanted]
    _write_manifest(files, [it for it in wanted if it.name not in done.dropped])
    _log.error(
        "append_only_file_repaired",
        damaged=done.damaged,
        dropped=done.dropped,
        cut_bytes=done.cut_bytes,
        cut_entries=done.cut_entries,
        renumbered=done.renumbered,
        kept_as=str(kept_as),
    )
    return done


class _File(NamedTuple):
    """A line of the manifest. ``kind``: b(ase), h(istory: to be removed) or i(ncrement)."""

    line: str
    name: str
    kind: str


def _listed(files: Path) -> list[_File]:
    """Return what the manifest lists, without the history; nothing where it cannot be read as one."""
    try:
        lines = (files / _MANIFEST).read_text().splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return []
    found = [_LINE.fullmatch(line) for line in lines if not line.startswith("#")]
    listed = [_File(it[0], it[1], it[2]) for it in found if it is not None]
    return [it for it in listed if it.kind != "h"] if len(listed) == len(found) else []


def _there(files: Path) -> list[_File]:
    """Return what a manifest would list: the newest base, and all increments in order."""
    found: dict[str, list[tuple[int, str]]] = {"b": [], "i": []}
    for path in files.iterdir():
        if (it := _FILE.fullmatch(path.name)) is not None:
            found[it[2][0]].append((int(it[1]), path.name))
    chosen = [*(("b", *it) for it in sorted(found["b"])[-1:]), *(("i", *it) for it in sorted(found["i"]))]
    return [_File(f"file {name} seq {number} type {kind}", name, kind) for kind, number, name in chosen]


def _room_for(files: Path, damaged: list[_File]) -> int:
    """Return the bytes that a copy of all takes, and beside it the largest file that is written anew."""
    copied = sum(it.stat().st_size for it in files.iterdir())
    return copied + max(((files / it.name).stat().st_size for it in damaged), default=0)


def _is_sound(path: Path, binary: ServerBinary, at: int) -> bool:
    if path.suffix == ".rdb":
        return binary.check_snapshot(path).returncode == 0
    with _mapped(path) as data:
        return is_sound(data, at + _DAY_MS)


def _mend(files: Path, damaged: list[_File], at: int) -> Repair:
    done = Repair([it.name for it in damaged])
    for it in damaged:
        path = files / it.name
        if path.suffix == ".rdb":  # one checksum for all, and compressed: what is left cannot be told apart
            done.dropped.append(it.name)
            done.cut_bytes += path.stat().st_size
        else:
            _mend_increment(path, done, at)
    return done


def _mend_increment(path: Path, done: Repair, at: int) -> None:
    with _mapped(path) as data, replacing(path) as partial:
        found = mended(data, at + _DAY_MS)
        with partial.open("wb") as file:
            file.writelines(found.text(data))
    done.cut_bytes += found.cut_bytes
    done.cut_entries += found.cut_entries
    done.renumbered += found.renumbered


def _write_manifest(files: Path, kept: list[_File]) -> None:
    if not kept:  # the server refuses an empty one, and makes the first by itself
        (files / _MANIFEST).unlink(missing_ok=True)
        return
    with replacing(files / _MANIFEST) as partial:
        partial.write_text("".join(f"{it.line}\n" for it in kept))


@contextmanager
def _mapped(path: Path) -> Iterator[Data]:
    with path.open("rb") as file:
        if not path.stat().st_size:  # nothing cannot be mapped
            yield b""
            return
        with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
            yield data
