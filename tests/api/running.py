"""A real engine behind the API: Redis, ledger, actors and desk, with an ingest that a test speaks for."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx

from engine.actors.desk import Desk
from engine.actors.engine import Engine, EngineSettings
from engine.api.app import create_app
from engine.api.rates import Rate, Rates
from engine.api.server import ApiServer
from engine.commands import Commands
from engine.domain.inputs import (
    Channel,
    ChannelDeleted,
    GuildLost,
    GuildSnapshot,
    Heartbeat,
    Input,
    ShardBeat,
    VoiceStateChanged,
)
from engine.domain.rules import Rules
from engine.inspection import Inspection
from engine.storage.comparison import Comparison
from engine.storage.journal import RedisJournal
from engine.storage.ledger import SqlLedger
from engine.storage.live import RedisLiveState
from engine.storage.outbox import OutboxSender
from engine.storage.protocols import Stores
from engine.storage.queries import SqlReads
from engine.storage.writer import JournalWriter
from tests.waiting import until

NOON = 1_772_366_400_000  # 2026-03-01T12:00:00Z
GUILD, LOST = 10, 11
LOUNGE, STAGE, CELLAR = 20, 21, 22
VOICE_KIND, STAGE_KIND = 2, 13
CONNECTION = "c1"
MINUTE = 60_000
LEAST = {"guildId": str(GUILD), "name": "Night watch", "voiceChannelIds": [str(LOUNGE)]}
FULL = LEAST | {
    "voiceChannelIds": [str(STAGE), str(LOUNGE)],
    "startsAt": "2026-03-01T19:00:00+01:00",
    "endsAt": "2026-03-01T20:00:00.500Z",
    "requiredRoleIds": ["7", "5"],
    "roleMatch": "all",
    "minDuration": 2700.25,
    "minShare": 0.5,
    "policy": {
        "countMuted": False,
        "countSuppressed": False,
        "countAlone": False,
        "countAfk": True,
        "countBridged": False,
        "slack": "generous",
    },
    "source": "command",
}


# Tests ask more quickly than anybody.
UNLIMITED = Rates(Rate(10**6, 1e6), Rate(10**6, 1e6))


class ClockedDesk(Desk):
    """A desk whose clock the test sets; ids stay unique."""

    at = NOON

    def now(self) -> int:
        return self.at


class RunningEngine:
    """Guild 10 with a lounge, a stage and a cellar; guild 11 was lost. Time is what the test says."""

    def __init__(self, url: str, folder: Path) -> None:
        self.path = folder / "rollcall.db"
        self._stack = ExitStack()
        self.live = self._closing(RedisLiveState(url, 0))
        journal = self._closing(RedisJournal(url, 0, retention_ms=86_400_000, max_entries=1_000_000))
        self._ledger = self._closing(SqlLedger(self.path, 0))
        self._stores = Stores(
            journal, self._ledger, self._closing(RedisLiveState(url, 0)), self._closing(OutboxSender(url))
        )
        self._told = 0
        self._compared = [self._closing(Comparison(self.path, url, 0))]
        self.engine = self._new_engine()
        self._ingest = self._writer(JournalWriter(url, "ingest", spool_path=folder / "ingest.spool"))
        self.requests = self._writer(JournalWriter(url, "engine", spool_path=folder / "engine.spool"))
        self.desk = ClockedDesk(self.requests, self.engine.aftermath.answers)
        self.reads = SqlReads(self.path)

    def __enter__(self) -> Self:
        self.engine.start()
        self.engine.aftermath.append = self.requests.append
        self._stack.callback(self._stop_engine)
        channels = (Channel(LOUNGE, "Lounge"), Channel(STAGE, "Stage", STAGE_KIND), Channel(CELLAR, "Cellar"))
        self.tell(
            GuildSnapshot(NOON, GUILD, CONNECTION, (), channels, "Lighthouse"),
            ChannelDeleted(NOON, GUILD, CELLAR),
            GuildSnapshot(NOON, LOST, CONNECTION, (), (Channel(30, "Attic"),), "Ruin"),
            GuildLost(NOON, LOST, None, CONNECTION),
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def served(
        self, inspection: Inspection, token: str, commands: Commands | None = None
    ) -> Iterator[httpx.Client]:
        """Serve over TCP and a Unix socket; give a client of the first that knows the token."""
        app = partial(
            create_app, inspection, self.reads, active_events=self.live.active_events, rates=UNLIMITED
        )
        tcp, unix = (app(it, it is not None, commands=commands or self.desk) for it in (token, None))
        server = ApiServer(tcp, unix, "127.0.0.1", 0, self.path.with_name("api.sock"))
        server.start()
        url, headers = f"http://127.0.0.1:{server.port}", {"Authorization": f"Bearer {token}"}
        with closing(httpx.Client(base_url=url, headers=headers, trust_env=False)) as client:
            try:
                yield client
            finally:
                server.stop()

    def _new_engine(self) -> Engine:
        return Engine(EngineSettings(), [self._stores], Rules(), compared=self._compared)

    def _stop_engine(self) -> None:
        self.engine.stop()

    def revive(self) -> None:
        """Start another engine after the first was stopped; who waits at the desk is answered by it."""
        self.engine = self._new_engine()
        self.engine.aftermath.answers = self.desk._answers
        self.engine.start()

    def tell(self, *facts: Input, at: int | None = None) -> None:
        """Journal facts, and that it is ``at`` by then (else the desk's time); return once committed."""
        if at is not None:
            self.desk.at = at
        now = self.desk.now()
        beat = Heartbeat(now, (ShardBeat(0, CONNECTION, connected=True, alive_at=now),))
        self._told += len(facts) + 1
        self._ingest.append(*facts, beat)
        until(lambda: self._ledger.load_partition().sources.get("ingest", (0, 0))[0] >= self._told)

    def _closing(self, it: Any) -> Any:
        return self._stack.enter_context(closing(it))

    def _writer(self, writer: JournalWriter) -> JournalWriter:
        writer.start()
        self._stack.callback(writer.close, 2.0)
        return writer


def update(at: int, user_id: int, channel_id: int | None, flags: int = 0, **facts: Any) -> VoiceStateChanged:
    return VoiceStateChanged(at, GUILD, user_id, channel_id, flags, **facts)


def refusal(answer: httpx.Response, status: int, field: str | None) -> str:
    """See that this is a refusal of that kind; return its message."""
    error = answer.json()["error"]
    code = {404: "not_found", 409: "conflict", 422: "invalid", 503: "unavailable"}[status]
    assert (answer.status_code, error["code"], error.get("field")) == (status, code, field), answer.text
    return error["message"]
