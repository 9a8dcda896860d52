"""The daemon's folders: made where missing, checked where they exist."""

import errno
import os
import stat
from pathlib import Path

from engine.config import DEFAULT_FILE, Config, ConfigError


def prepare(config: Config) -> None:
    """Make the data directory and the folder of the sockets. Raises ``ConfigError`` where that cannot be."""
    place = f"{config.source or DEFAULT_FILE}: storage"
    _make(config.data_dir, f"{place}.data_dir")
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


def _require_own(folder: Path, place: str) -> None:
    """Refuse a folder of sockets that others own or can write: in /tmp anybody may make one first."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise ConfigError([f"{place}: the sockets' folder {folder} belongs to somebody else"])
    if found.st_mode & 0o077:
        folder.chmod(0o700)
