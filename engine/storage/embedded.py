"""The embedded server: a private Redis or Valkey that keeps the journal in the data directory.

It listens on a Unix socket of mode 0600 only, and has every write on the disk before it answers. This module
prepares its start and names its command; the daemon's parent runs it.
"""

import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis
import structlog

from engine.storage.append_only import repair
from engine.storage.protocols import StorageError
from engine.storage.redis_client import connect
from engine.storage.room import await_room
from engine.storage.server_binary import ServerBinary, find_server

POLL_S = 0.01
LEFTOVER_S = 10.0

_CONF = """\
# Written by Rollcall at each start: changes are lost.
port 0
unixsocket {socket}
unixsocketperm 600
daemonize no
dir {dir}
logfile {logfile}
databases 1
appendonly yes
appendfsync always
aof-load-truncated yes
save ""
maxmemory-policy noeviction
"""

_log = structlog.get_logger(__name__)


class EmbeddedServer:
    """The server of one data directory: ``prepare``, then run ``command``, then ``wait_ready``."""

    def __init__(self, data_dir: Path, socket: Path) -> None:
        self.socket = socket.absolute()
        self.dir = data_dir.absolute() / "redis"
        self._conf = self.dir / "redis.conf"
        self._log = self.dir / "redis.log"
        self._binary: ServerBinary | None = None

    @property
    def url(self) -> str:
        """Where its clients find it."""
        return f"unix://{quote(str(self.socket))}"

    def prepare(self) -> None:
        """Make everything ready for ``command``, whatever an earlier life left behind.

        Waits for room on the disk, writes the configuration, ends a server of ours that still runs, removes
        its socket, repairs an append-only file that cannot be loaded. Raises ``StorageError``.
        """
        self._binary = find_server()
        try:
            self.dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            await_room(self.dir)
            self._end_leftover()
            self._conf.write_text(
                _CONF.format(socket=_quoted(self.socket), dir=_quoted(self.dir), logfile=_quoted(self._log))
            )
            repair(self.dir, self._binary)
        except OSError as error:
            raise StorageError(
                f"cannot prepare the embedded Redis: {error.strerror} ({error.filename})"
            ) from None

    def command(self) -> list[str]:
        """Return the server's command line. It stays in the foreground; SIGTERM ends it cleanly."""
        binary = self._binary or find_server()
        return [str(binary.path), str(self._conf)]

    def wait_ready(self, timeout_s: float) -> None:
        """Return once the server answers; one that loads a large journal takes a while.

        Raises ``StorageError`` with the last line of its log when ``timeout_s`` have passed.
        """
        deadline = time.monotonic() + timeout_s
        with connect(self.url, timeout_s=1.0) as client:
            while not _answers(client):
                if time.monotonic() >= deadline:
                    raise StorageError(
                        f"the embedded Redis does not answer: {self._last_words()} ({self._log})"
                    )
                time.sleep(POLL_S)

    def _end_leftover(self) -> None:
        """End a server that an earlier life left on our socket, and remove the socket.

        Raises ``StorageError`` where it is not ours or does not end: two servers on one file would ruin it.
        """
        deadline = time.monotonic() + LEFTOVER_S
        with connect(self.url, timeout_s=2.0) as client:
            try:
                if (found := _dir_of(client, deadline)) is not None:
                    self._require_own(found)
                    _log.warning("leftover_server_found", socket=str(self.socket), dir=str(found))
                    _shut_down(client, deadline)
            except redis.RedisError as error:
                raise StorageError(f"a Redis listens on {self.socket}: end it first ({error})") from None
        self.socket.unlink(missing_ok=True)

    def _require_own(self, found: Path) -> None:
        if not found.exists() or not found.samefile(self.dir):
            raise StorageError(f"another Redis (its dir is {found}) listens on {self.socket}: end it first")

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text(errors="replace").splitlines()
        except OSError:
            return "it wrote no log"
        return lines[-1] if lines else "its log is empty"


def _quoted(path: Path) -> str:
    """Return a path as redis.conf wants it."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except (redis.RedisError, OSError):
        return False


def _dir_of(client: redis.Redis, deadline: float) -> Path | None:
    """Return the directory of the server that listens, None if none does."""
    while True:
        try:
            found: Any = client.config_get("dir")
        except redis.BusyLoadingError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(POLL_S)
        except redis.ConnectionError:  # no socket, or nobody behind it
            return None
        else:
            return Path(found["dir"])


def _shut_down(client: redis.Redis, deadline: float) -> None:
    """Shut the server down. It closes its socket last, when its files are written."""
    client.shutdown(nosave=True)
    while _answers(client):
        if time.monotonic() >= deadline:
            raise redis.TimeoutError("it does not shut down")
        time.sleep(POLL_S)
