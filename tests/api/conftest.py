import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.api.app import create_app
from engine.api.rates import Rates
from engine.api.server import ApiServer
from engine.domain.effects import Effect, SaveMember, SaveSession, SaveSpan, Status
from engine.domain.inputs import VoiceFlags
from engine.domain.partition import START, PartitionState
from engine.domain.sessions import Session
from engine.storage.ledger import SqlLedger
from engine.storage.protocols import Commit
from engine.storage.queries import SqlReads
from engine.storage.redis_client import connect
from tests.api.evening import hold
from tests.api.running import LEAST, MINUTE, UNLIMITED, RunningEngine
from tests.api.still_engine import StillEngine
from tests.waiting import until

NOON = 1_772_366_400_000  # 2026-03-01T12:00:00Z


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
    """A ledger of six sessions in guild 10: user 1 (Ann) moved, 2 to 4 came and left, 5 is there."""
    path = tmp_path_factory.mktemp("ledger") / "rollcall.db"
    effects = [SaveMember(10, 1, "Ann"), *mover(1)]
    effects += [completed(user, NOON + user, NOON + user + 1500) for user in (2, 3, 4)]
    present = Session(5, channel_id=20, joined_at=NOON + 5, flags=0, span_at=NOON + 5, chain_at=NOON + 5)
    effects.append(SaveSession(10, present, at=NOON + 5))
    with closing(SqlLedger(path, 0)) as ledger:
        ledger.commit(Commit(START, PartitionState(cursor="1-0", now=NOON + 10_000), effects))
    return path


@pytest.fixture
def reads(ledger) -> SqlReads:
    return SqlReads(ledger)


@pytest.fixture(scope="session", name="wait_until")
def _wait_until():
    return until


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

    def start(
        *, token: str | None = token, port: int = 0, path: Path = socket_path, rates: Rates = UNLIMITED
    ) -> ApiServer:
        tcp = create_app(engine, reads, token, require_token=True, token_env="ROLLCALL_TOKEN", rates=rates)
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


@pytest.fixture
def running(redis_url, tmp_path) -> Iterator[RunningEngine]:
    """A real engine that requests may change."""
    with RunningEngine(redis_url, tmp_path) as running:
        yield running


@pytest.fixture
def api(running, engine, token) -> Iterator[httpx.Client]:
    """A client of the running engine's API, over TCP."""
    with running.served(engine, token) as client:
        yield client


@pytest.fixture(scope="module")
def shared_engine(redis_server, tmp_path_factory) -> Iterator[RunningEngine]:
    """One real engine for all tests of a module: none of them changes the guild, or what others made."""
    with connect(redis_server.url) as client:
        client.flushall()
    with RunningEngine(redis_server.url, tmp_path_factory.mktemp("engine")) as running:
        yield running


@pytest.fixture(scope="module")
def shared_api(shared_engine, token) -> Iterator[httpx.Client]:
    with shared_engine.served(StillEngine(), token) as client:
        yield client


@pytest.fixture(scope="module")
def evening(shared_api, shared_engine) -> dict[str, str]:
    return hold(shared_api, shared_engine)


@pytest.fixture
def make(api) -> Callable[..., dict[str, Any]]:
    """Make an event and return it."""

    def make(**fields):
        answer = api.post("/events", json=LEAST | fields)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


@pytest.fixture
def at(running) -> Callable[[int], None]:
    """``at(minute)``: it is that many minutes after noon from now on."""

    def at(minute):
        running.desk.at = NOON + minute * MINUTE

    return at
