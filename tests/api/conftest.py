import secrets
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.api.app import create_app
from engine.api.reads import InvalidCursor
from engine.api.server import ApiServer
from engine.inspection import Readiness, Sample

GUILD = {
    "name": "guild:10",
    "kind": "guild",
    "state": "running",
    "inbox": 0,
    "restarts": 0,
    "openSessions": 2,
    "lastAt": "2026-03-01T18:00:00.000Z",
}


class StillEngine:
    """An engine that stands still: the simplest that keeps the contract of `Inspection`."""

    def __init__(self) -> None:
        self.is_alive = True
        self.reasons: list[str] = []
        self.asked = threading.Event()
        self.hold: threading.Event | None = None  # what `live` waits for, where set

    def alive(self) -> bool:
        return self.is_alive

    def readiness(self) -> Readiness:
        return Readiness(ready=not self.reasons, reasons=self.reasons)

    def overview(self) -> dict[str, Any]:
        return {"version": "1", "openSessions": 2}

    def actors(self) -> list[dict[str, Any]]:
        return [GUILD]

    def actor(self, name: str) -> dict[str, Any] | None:
        return GUILD | {"describe": {"sessions": {}}} if name == GUILD["name"] else None

    def journal(self) -> list[dict[str, Any]]:
        return [{"partition": 0, "cursor": "5-0", "lastId": "7-0", "length": 7, "lag": 2}]

    def live(self) -> dict[str, Any]:
        self.asked.set()
        if self.hold is not None:
            self.hold.wait(30)
        return {"cursor": "5-0", "guilds": 1, "sessions": 2, "rebuilt": None}

    def top(self) -> dict[str, Any]:
        return {"at": "2026-03-01T18:00:00.000Z", "counters": {"entries": 5}, "gauges": {"lag": 2}}

    def samples(self) -> Iterator[Sample]:
        yield Sample("rollcall_entries_total", "counter", "Entries taken.", 5, {"partition": "0"})
        yield Sample("rollcall_entries_total", "counter", "Entries taken.", 7, {"partition": "1"})
        yield Sample("rollcall_open_sessions", "gauge", "Sessions open now.", 2)


class MemoryReads:
    """Sessions in a list, the latest first: the simplest that keeps the contract of `Reads`."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def sessions(self, *, limit, cursor, spans, **filters):
        if cursor is not None and not cursor.isdecimal():
            raise InvalidCursor(cursor)
        start = int(cursor or 0)
        self.asked = filters
        shown = [row if spans else {k: v for k, v in row.items() if k != "spans"} for row in self.rows]
        rest = start + limit < len(shown)
        return shown[start : start + limit], str(start + limit) if rest else None

    def session(self, session_id):
        return next((row for row in self.rows if row["sessionId"] == session_id), None)


@pytest.fixture
def reads() -> MemoryReads:
    return MemoryReads()


@pytest.fixture(scope="session")
def wait_until():
    def wait(condition, timeout_s: float = 10) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, "it did not come"
            time.sleep(0.01)

    return wait


@pytest.fixture
def engine() -> StillEngine:
    return StillEngine()


@pytest.fixture(scope="session")
def token() -> str:
    return secrets.token_urlsafe(16)


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    return tmp_path / "api.sock"


@pytest.fixture
def serve(engine, reads, socket_path, token):
    """Start servers over real sockets; each is stopped at the end."""
    servers: list[ApiServer] = []

    def start(*, token: str | None = token, port: int = 0, path: Path = socket_path) -> ApiServer:
        tcp = create_app(engine, reads, token, require_token=True, token_env="ROLLCALL_TOKEN")
        unix = create_app(engine, reads, None, require_token=False)
        server = ApiServer(tcp, unix, "127.0.0.1", port, path)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def server(serve) -> ApiServer:
    return serve()


@pytest.fixture
def tcp(server, token) -> Iterator[httpx.Client]:
    """A client that knows the token."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers=headers, trust_env=False) as client:
        yield client


@pytest.fixture
def stranger(server) -> Iterator[httpx.Client]:
    """A client that knows no token."""
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        yield client


@pytest.fixture
def unix(server, socket_path) -> Iterator[httpx.Client]:
    """A client on the Unix socket."""
    transport = httpx.HTTPTransport(uds=str(socket_path))
    with httpx.Client(base_url="http://rollcall", transport=transport) as client:
        yield client


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]
