"""The ingest: Discord's gateway in, the journal out, a heartbeat each second."""

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

import structlog

from bot_adapter.client import ClientSettings, PlainBot, ShardedBot, create_bot
from bot_adapter.clock import AnchoredClock
from bot_adapter.connection import Connection
from bot_adapter.intake import Counters, Intake
from bot_adapter.names import ToldNames
from bot_adapter.outbox import Outbox, OutboxReceiver
from bot_adapter.shard import IdentifyPace, Shard
from bot_adapter.tasks import run_together
from engine.domain.gateway import Hole
from engine.domain.inputs import Heartbeat
from engine.storage.protocols import Appender, StorageError

log = structlog.get_logger(__name__)

BEAT_S = 1.0

Publish = Callable[[dict[str, Any]], Iterable[Hole]]


@dataclass(frozen=True, slots=True)
class IngestSettings:
    """``source`` names this life of the ingest among all, as in ``inputs.Entry``.

    ``opt_out``: users of whom nothing is journaled.
    """

    source: str
    client: ClientSettings
    opt_out: frozenset[int] = frozenset()


class Ingest:
    """Runs the client until ``stop`` or a fatal refusal.

    Everything goes to ``appender``; ``receiver`` brings the engine's effects upon Discord; ``publish`` gets
    ``report()`` each second, in a thread, so it may block.
    """

    def __init__(
        self,
        settings: IngestSettings,
        appender: Appender,
        clock: AnchoredClock,
        receiver: OutboxReceiver | None = None,
        publish: Publish | None = None,
    ) -> None:
        self.counters = Counters()
        self._settings = settings
        self._appender = appender
        self._clock = clock
        self._receiver = receiver
        self._publish = publish
        self._names = ToldNames()
        self._shards: list[Shard] = []
        self._outbox: Outbox | None = None
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._journal_full = False
        self._seen_to: set[tuple[int, Hole]] = set()  # by shard
        self._renewals: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Run until ``stop``. Raises ``FatalLogin``, after the last heartbeat like any other end."""
        self._shards = self._create_shards()
        client = create_bot(self._settings.client, self._shards)
        jobs = [self._stop_asked(), self._beat_each_second(), self._serve(client)]
        if self._publish is not None:
            jobs.append(self._publish_each_second(self._publish))
        try:
            await run_together(jobs)
        finally:
            for renewal in self._renewals:
                renewal.cancel()
            self._beat()
            await client.close()
            self._stopped.set()

    async def _serve(self, client: PlainBot | ShardedBot) -> None:
        await client.login(self._settings.client.token)
        jobs: list[Coroutine[Any, Any, None]] = [client.connect()]
        if self._receiver is not None:
            self._outbox = Outbox(client, self._receiver, self._appender, self._clock.now)
            jobs.append(self._outbox.run())
        await run_together(jobs)

    async def stop(self) -> None:
        """End ``run`` and wait for its end."""
        self._stopping.set()
        await self._stopped.wait()

    def report(self) -> dict[str, Any]:
        """Return what the ingest does, for people and metrics. Times in ms UTC, durations in ms."""
        at = self._clock.now()
        return {
            "at": at,
            "clock_ahead_ms": self._clock.ahead_ms,
            "received": self.counters.received,
            "appended": self.counters.appended,
            "malformed": dict(self.counters.malformed),
            "reconnects": self.counters.reconnects,
            "resumes": self.counters.resumes,
            "identifies": self.counters.identifies,
            "posted": self._outbox.posted if self._outbox else 0,
            "post_failures": self._outbox.failed if self._outbox else 0,
            "shards": [_describe(shard, at) for shard in self._shards],
        }

    def _create_shards(self) -> list[Shard]:
        it = self._settings.client
        pace = IdentifyPace(it.identify_interval_s)
        return [Shard(self._create_intake(shard_id), pace, shard_id, it.silence_s) for shard_id in it.shards]

    def _create_intake(self, shard_id: int | None) -> Intake:
        connection = Connection(self._settings.source, shard_id or 0)
        return Intake(
            connection,
            self._appender,
            self._clock,
            self.counters,
            self._beat,
            opt_out=self._settings.opt_out,
            names=self._names,
        )

    def _beat(self) -> None:
        """Append a heartbeat. A full journal does not end us: the shards stop taking what it cannot keep."""
        at = self._clock.now()
        for shard in self._shards:
            shard.intake.connection.awake(at)
        beats = (shard.intake.connection.beat(at) for shard in self._shards)
        heartbeat = Heartbeat(at, tuple(beat for beat in beats if beat is not None))
        try:
            self._appender.append(heartbeat)
        except StorageError as error:
            if not self._journal_full:
                log.error("journal_full", error=str(error))  # noqa: TRY400 - its text says all
            self._journal_full = True
        else:
            self._journal_full = False

    async def _beat_each_second(self) -> None:
        while True:
            self._clock.follow()
            self._beat()
            await asyncio.sleep(BEAT_S)

    async def _publish_each_second(self, publish: Publish) -> None:
        while True:
            try:
                holes = await asyncio.to_thread(publish, self.report())
            except Exception as error:  # noqa: BLE001 - nobody's reading of the counters may end the ingest
                log.debug("report_unpublished", error=str(error))
            else:
                self._mend(list(holes))
            await asyncio.sleep(BEAT_S)

    def _mend(self, holes: list[Hole]) -> None:
        """Have shards tell anew how things stand, if what they told before is gone from the journal."""
        for number, shard in enumerate(self._shards):
            mine = [it for it in holes if f"{shard.intake.connection.name}/".startswith(f"{it[0]}/")]
            fresh = {(number, it) for it in mine} - self._seen_to
            if fresh:
                self._seen_to |= fresh
                since = min(since for _, (_, since) in fresh)
                self._renewals.append(asyncio.create_task(shard.renew(since)))
        self._renewals = [it for it in self._renewals if not it.done()]

    async def _stop_asked(self) -> None:
        await self._stopping.wait()


def _describe(shard: Shard, at: int) -> dict[str, Any]:
    beat = shard.intake.connection.beat(at)
    latency_s = shard.socket.latency if shard.socket is not None else math.inf
    return {
        "shard_id": shard.intake.connection.shard_id,
        "connected": beat is not None and beat.connected,
        "connection": beat.connection if beat is not None else "",
        "alive_at": beat.alive_at if beat is not None else None,
        "latency_ms": round(latency_s * 1000) if math.isfinite(latency_s) else None,
    }
