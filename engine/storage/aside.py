"""What is damaged is put aside under another name, and what replaces it appears whole or not at all."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

# SQLite finds a database's log and journal by these endings, whatever it is called.
PARTS = ("", "-wal", "-shm", "-journal")
_PARTIAL = ".partial"
_OF_KILLED = re.compile(rf"\..+\.(\d+){re.escape(_PARTIAL)}({'|'.join(PARTS)})")


def moment_in_name(at: int) -> str:
    """Return a moment (ms UTC) as file names have it, without colons; sorted by name they are in order."""
    moment = datetime.fromtimestamp(at // 1000, UTC)
    return f"{moment:%Y%m%dT%H%M%S}.{at % 1000:03d}Z"


def moment_from_name(text: str) -> int:
    """Return the moment that ``moment_in_name`` wrote. Raises ``ValueError`` for any other text."""
    moment = datetime.strptime(f"{text}+0000", "%Y%m%dT%H%M%S.%fZ%z")
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def free_name(path: Path, at: int) -> Path:
    """Return the name under which ``path`` is put aside at a moment; nothing has it yet."""
    wanted = path.with_name(f"{path.name}.damaged-{moment_in_name(at)}")
    names = (wanted if number == 1 else wanted.with_name(f"{wanted.name}.{number}") for number in count(1))
    return next(it for it in names if not any(_part(it, ending).exists() for ending in PARTS))


def set_aside(database: Path, at: int) -> list[Path]:
    """Rename a database with its log and journal; return the new names of those there were."""
    aside = free_name(database, at)
    there = [it for it in PARTS if _part(database, it).exists()]
    moved = [_part(database, it).rename(_part(aside, it)) for it in there]
    _sync_folder(database.parent)
    return moved


def copy_aside(path: Path, at: int) -> Path:
    """Copy a file or a folder that is going to be changed in place; return the copy, which is on the disk.

    Raises ``OSError``: then nothing is left of the copy, which on a full disk would take the last room.
    """
    aside = free_name(path, at)
    try:
        _copy(path, aside)
        for it in [aside, *aside.rglob("*")]:
            _sync(it)
    except BaseException:
        _remove(aside)
        raise
    _sync_folder(aside.parent)
    return aside


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a name to write to; what is there in the end gets the name ``target``, once it is on the disk.

    If the block raises, nothing is left of it.
    """
    partial = target.with_name(f".{target.name}.{os.getpid()}{_PARTIAL}")
    try:
        yield partial
        _sync(partial)
        partial.replace(target)
        _sync_folder(target.parent)
    finally:
        for ending in PARTS:
            with suppress(OSError):
                _part(partial, ending).unlink()


def remove_partial(folder: Path) -> None:
    """Remove what ``replacing`` had begun in processes that were killed over it."""
    for path in folder.glob(f".*{_PARTIAL}*"):
        found = _OF_KILLED.fullmatch(path.name)
        if found is not None and not _lives(int(found[1])):
            path.unlink(missing_ok=True)


def _copy(path: Path, to: Path) -> None:
    """Copy, up to the first failure: ``shutil.copytree`` goes on, and what it raises names no reason."""
    if not path.is_dir():
        shutil.copy2(path, to)
        return
    to.mkdir()
    for it in path.iterdir():
        _copy(it, to / it.name)
    shutil.copystat(path, to)


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return pid != os.getpid()


def _part(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_sync_folder = _sync
