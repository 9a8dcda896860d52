"""The ingest process: Discord's gateway into the journal."""

import asyncio
import signal
import time
from typing import TYPE_CHECKING, Any

import structlog

from engine import directories
from engine.daemon.common import INGEST_STATUS, UNUSABLE, WRITER_CLOSE_S, source_of, writer
from engine.daemon.holes import holes_of
from engine.processes.heartbeat import beat
from engine.processes.lifeline import watch_parent
from engine.storage.lock import DataDirLock
from engine.storage.protocols import StorageError

if TYPE_CHECKING:
    from bot_adapter.ingest import Ingest
    from engine.config import Config
    from engine.domain.gateway import Hole

log = structlog.get_logger(__name__)

SIMULATOR_WAIT_S = 10.0


def main(config: "Config") -> int:
    """Run the ingest: Discord's gateway into the journal."""
    from bot_adapter.shard import FatalLogin

    directories.prepare(config)
    watch_parent()
    try:
        with DataDirLock(config.data_dir, "ingest"):
            return asyncio.run(_ingest(config))
    except FatalLogin as error:
        log.error("login_refused", reason=str(error))  # noqa: TRY400 - its text says all
        return UNUSABLE


async def _ingest(config: "Config") -> int:
    from bot_adapter.client import ClientSettings
    from bot_adapter.clock import AnchoredClock
    from bot_adapter.ingest import Ingest, IngestSettings
    from engine.storage.outbox import OutboxReceiver
    from engine.storage.status import StatusBoard

    source = source_of("ingest")
    journal = writer(config, source, "ingest.spool")
    board = StatusBoard(config.redis_url)
    it = config.discord
    client = ClientSettings(
        token=_token(config),
        api_base_url=await _api_base_url(config),
        shard_count=it.shard_count,
        shard_ids=it.shard_ids,
        members_intent=it.members_intent,
    )

    def publish(report: dict[str, Any]) -> "list[Hole]":
        beat()  # asked for each second by the loop that all depends on
        board.publish(INGEST_STATUS, report | journal.stats().report())
        return holes_of(source, board)

    ingest = Ingest(
        IngestSettings(source, client, config.rules.opt_out),
        journal,
        AnchoredClock(_journal_now(config)),
        OutboxReceiver(config.redis_url, "ingest"),
        publish,
    )
    journal.start()
    try:
        _stop_ingest_on_signals(ingest)
        await ingest.run()
    finally:
        await asyncio.to_thread(journal.close, WRITER_CLOSE_S)
    return 0


def _token(config: "Config") -> str:
    from bot_adapter.simulator.server import DEFAULT_TOKEN

    token = config.discord.token
    return DEFAULT_TOKEN if config.demo or token is None else token.get_secret_value()


def _journal_now(config: "Config") -> int:
    """Return the last ``at`` of the journal: the clock may have been set back since. 0 if Redis is away."""
    from engine.storage.journal import latest_at

    try:
        return max(latest_at(config.redis_url, number) for number in range(config.storage.partitions))
    except ConnectionError:
        return 0


async def _api_base_url(config: "Config") -> str:
    if not config.demo:
        return config.discord.api_base_url
    path = config.runtime_dir / "simulator.url"
    deadline = time.monotonic() + SIMULATOR_WAIT_S
    while not path.exists():
        if time.monotonic() > deadline:
            raise StorageError(f"the simulator has not told its address in {path}: does it run?")
        await asyncio.sleep(0.05)
    return path.read_text(encoding="utf-8").strip()


def _stop_ingest_on_signals(ingest: "Ingest") -> None:
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: tasks.add(loop.create_task(ingest.stop())))
