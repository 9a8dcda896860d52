"""The embedded server: a private Redis or Valkey that keeps the journal in the data directory.

It listens on a Unix socket of mode 0600 only, and has every write on the disk before it answers. This module
prepares its start and names its command; the daemon's parent runs it.
"""

import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis
import structlog

from engine.storage.append_only import repair
from engine.storage.protocols import StorageError, StorageUnfit
from engine.storage.redis_client import connect
from engine.storage.room import await_room
from engine.storage.server_binary import ServerBinary, find_server

POLL_S = 0.01
ANSWER_S = 2.0
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
        its socket, repairs an append-only file that cannot be loaded. Raises ``StorageError`` where a second
        try may go better, ``StorageUnfit`` where there is no program to run or the socket is another's.
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
            reason = f"{error.strerror} ({error.filename})" if error.strerror else str(error)
            raise StorageError(f"cannot prepare the embedded Redis: {reason}") from None

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

        Raises ``StorageUnfit`` where it is not ours, ``StorageError`` where it does not end: two servers on
        one file would ruin it.
        """
        deadline = time.monotonic() + LEFTOVER_S
        with connect(self.url, timeout_s=ANSWER_S) as client:
            try:
                if (found := _dir_of(client, self.socket, deadline)) is not None:
                    self._require_own(found)
                    _log.warning("leftover_server_found", socket=str(self.socket), dir=str(found))
                    _shut_down(client, self.socket, deadline)
            except redis.RedisError as error:
                raise StorageError(f"a Redis listens on {self.socket}: end it first ({error})") from None
        self.socket.unlink(missing_ok=True)

    def _require_own(self, found: Path) -> None:
        if not found.exists() or not found.samefile(self.dir):
            raise StorageUnfit(f"another Redis (its dir is {found}) listens on {self.socket}: end it first")

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


def _dir_of(client: redis.Redis, path: Path, deadline: float) -> Path | None:
    """Return the directory of the server that listens, None if none does.

    One that loads is waited for; so is one that does not answer: it may be dying, with a write under way.
    """
    while _listens(path):
        try:
            found: Any = client.config_get("dir")
        except (redis.AuthenticationError, redis.ResponseError) as error:  # ours asks for no password
            raise StorageUnfit(f"another Redis listens on {path}: end it first ({error})") from None
        except (redis.ConnectionError, redis.TimeoutError):
            if time.monotonic() >= deadline:
                raise
            time.sleep(POLL_S)
        else:
            return Path(found["dir"])
    return None


def _shut_down(client: redis.Redis, path: Path, deadline: float) -> None:
    """Shut the server down. It closes its socket last, when its files are written."""
    with suppress(redis.TimeoutError):  # it takes its time
        client.shutdown(nosave=True)
    while _listens(path):
        if time.monotonic() >= deadline:
            raise redis.TimeoutError("it does not shut down")
        time.sleep(POLL_S)


def _listens(path: Path) -> bool:
    """Say whether a process holds the socket, even one that takes no connection any more."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(ANSWER_S)
        try:
            probe.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:  # among them: too many wait to be let in
            return True
    return True
