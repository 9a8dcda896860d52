"""The daemon's folders: made where missing, checked where they exist."""

import errno
import os
import stat
from pathlib import Path

import structlog

from engine.config import DEFAULT_FILE, Config, ConfigError

_log = structlog.get_logger(__name__)


def prepare(config: Config) -> None:
    """Make the data directory and the folder of the sockets. Raises ``ConfigError`` where that cannot be."""
    place = f"{config.source or DEFAULT_FILE}: storage"
    _make(config.data_dir, f"{place}.data_dir")
    _close(config, f"{place}.data_dir")
    _make(config.runtime_dir, f"{place}.data_dir")
    _make(config.database.parent, f"{place}.database", os.F_OK)
    _require_own(config.runtime_dir, f"{place}.data_dir")


def _make(folder: Path, place: str, rights: int = os.R_OK | os.W_OK | os.X_OK) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, rights):
            raise PermissionError(errno.EACCES, "it is not writable for this user", str(folder))
    except OSError as error:
        problem = f"cannot be used: {error.strerror} (got {str(error.filename)!r})"
        raise ConfigError([f"{place}: {problem}: choose a folder that this user may write in"]) from error


def _close(config: Config, place: str) -> None:
    """Have nobody but its owner enter the data directory, which says who was where.

    One that is open to others is closed where it is ours to close: empty, or with what we have put there. Any
    other folder may have been named by mistake, and others may need it.
    """
    folder = config.data_dir
    found = folder.stat()
    if not found.st_mode & 0o077:
        return
    names = {it.name for it in folder.iterdir()}
    if found.st_uid != os.geteuid() or (
        names and not names & {config.database.name, "redis", "rollcall.lock", "run"}
    ):
        problem = f"others may enter {folder} (mode {stat.S_IMODE(found.st_mode):o})"
        raise ConfigError([f"{place}: {problem}: choose a folder of its own, or run chmod 700 {folder}"])
    folder.chmod(0o700)
    _log.warning("data_dir_closed", data_dir=str(folder), mode_before=f"{stat.S_IMODE(found.st_mode):o}")


def _require_own(folder: Path, place: str) -> None:
    """Refuse a folder of sockets that others own or can write: in /tmp anybody may make one first."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise ConfigError([f"{place}: the sockets' folder {folder} belongs to somebody else"])
    if found.st_mode & 0o077:
        folder.chmod(0o700)
