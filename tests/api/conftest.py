import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.api.app import create_app
from engine.api.server import ApiServer
from engine.domain.effects import Effect, SaveSession, SaveSpan, Status
from engine.domain.inputs import VoiceFlags
from engine.domain.partition import START, PartitionState
from engine.domain.sessions import Session
from engine.inspection import Readiness, Sample
from engine.storage.ledger import SqlLedger
from engine.storage.protocols import Commit
from engine.storage.queries import SqlReads

NOON = 1_772_366_400_000  # 2026-03-01T12:00:00Z

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


def completed(user_id: int, joined_at: int, left_at: int, **facts: Any) -> SaveSession:
    facts = {"channel_id": 20, "flags": 0, "span_at": joined_at, "chain_at": joined_at} | facts
    session = Session(user_id=user_id, joined_at=joined_at, **facts)
    return SaveSession(10, session, at=left_at, left_at=left_at, status=Status.COMPLETED)


def mover(user_id: int) -> list[Effect]:
    """Two seconds in channel 20, deafened in the second one, then half a second in 21."""
    deaf = VoiceFlags.SELF_DEAF
    return [
        SaveSpan(10, user_id, NOON, NOON, NOON + 1000, 0),
        completed(user_id, NOON, NOON + 2000, flags=deaf, span_at=NOON + 1000),
        completed(user_id, NOON + 2000, NOON + 2500, channel_id=21, chain_at=NOON, previous_at=NOON),
    ]


@pytest.fixture(scope="session")
def ledger(tmp_path_factory) -> Path:
    """A ledger of six sessions in guild 10: user 1 moved, users 2 to 4 came and left, user 5 is there."""
    path = tmp_path_factory.mktemp("ledger") / "rollcall.db"
    effects = mover(1)
    effects += [completed(user, NOON + user, NOON + user + 1500) for user in (2, 3, 4)]
    present = Session(5, channel_id=20, joined_at=NOON + 5, flags=0, span_at=NOON + 5, chain_at=NOON + 5)
    effects.append(SaveSession(10, present, at=NOON + 5))
    with closing(SqlLedger(path, 0)) as ledger:
        ledger.commit(Commit(START, PartitionState(cursor="1-0", now=NOON + 10_000), effects))
    return path


@pytest.fixture
def reads(ledger) -> SqlReads:
    return SqlReads(ledger)


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
