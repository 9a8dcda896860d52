"""The only wiring: each process's parts, started in order and stopped in reverse.

Every ``..._main`` runs one process until SIGTERM or its own end and returns the exit code. Imports stand
inside, so that a process loads only what it runs.
"""

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import structlog

from engine import directories
from engine.processes.lifeline import watch_parent
from engine.storage.lock import DataDirLock
from engine.storage.protocols import StorageError

if TYPE_CHECKING:
    from bot_adapter.ingest import Ingest
    from engine.actors.engine import Engine
    from engine.actors.view import Lookups
    from engine.api.server import ApiServer
    from engine.config import Config
    from engine.inspection import Inspection
    from engine.storage.protocols import Stores
    from engine.storage.queries import SqlReads
    from engine.storage.writer import JournalWriter

log = structlog.get_logger(__name__)

CHECK_EVERY_S = 1.0
FAILED, UNUSABLE = 1, 2
INGEST_STATUS = "ingest"
WRITER_CLOSE_S = 2.0
REDIS_WAIT_S = 30.0
SIMULATOR_WAIT_S = 10.0
ACTIONS_PER_S = 2.0  # of the simulated community at speed 1
# A thread that waits for the interpreter gets it after this; Python's own 5 ms would be half a batch's time.
SWITCH_INTERVAL_S = 0.001
# Sessions and effects are acyclic and freed by their counts; Python's own thresholds would have a quarter of
# the engine's time go into looking for cycles among them.
GC_THRESHOLDS = (500_000, 20, 100)


def engine_main(config: "Config") -> int:
    """Run the engine: the journal into the ledger, HTTP beside it."""
    directories.prepare(config)
    watch_parent()
    tune_interpreter()
    stopping = _stop_on_signals()
    with ExitStack() as stack:
        stack.enter_context(DataDirLock(config.data_dir, "engine"))
        _wait_for_redis(config, stopping)
        if stopping.is_set():
            return 0
        engine = _start_engine(config, stack)
        _start_api(config, engine, stack)
        while not stopping.wait(CHECK_EVERY_S):
            engine.check()
            if engine.failed.is_set():
                log.error("engine_ends", reason=engine.reason)
                return FAILED
    return 0


def ingest_main(config: "Config") -> int:
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


def simulator_main(config: "Config") -> int:
    """Run the simulated Discord and its community."""
    from bot_adapter.simulator.community import Habits
    from bot_adapter.simulator.demo import Demo, main

    directories.prepare(config)
    watch_parent()
    it = config.simulator
    habits = Habits(it.guilds, it.members, it.seed, ACTIONS_PER_S * it.speed)
    return main(Demo(habits, port=it.port, address_file=config.runtime_dir / "simulator.url"))


def tune_interpreter() -> None:
    """Set the interpreter up for many long-lived objects without cycles, and for short turns of threads."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def stores(config: "Config", partition: int) -> "Stores":
    """Open one partition's storage. Raises ``StorageError``."""
    from engine.storage.journal import RedisJournal
    from engine.storage.ledger import SqlLedger
    from engine.storage.live import RedisLiveState
    from engine.storage.outbox import OutboxSender
    from engine.storage.protocols import Stores

    it, url = config.storage, config.redis_url
    return Stores(
        RedisJournal(
            url,
            partition,
            retention_ms=round(it.journal_retention_h * 3_600_000),
            max_entries=it.journal_max_entries,
        ),
        SqlLedger(config.database, partition, it.partitions),
        RedisLiveState(url, partition, partitions=it.partitions),
        OutboxSender(url),
    )


def _start_engine(config: "Config", stack: ExitStack) -> "Engine":
    from engine.actors.engine import Engine, EngineSettings

    settings = EngineSettings(
        workers=config.engine.workers,
        batch_max_entries=config.engine.batch_max_entries,
        park_after_ms=round(config.engine.park_after_s * 1000),
    )
    opened: list[Stores] = []
    for partition in range(config.storage.partitions):
        opened.append(stores(config, partition))
        stack.callback(opened[-1].ledger.close)
    engine = Engine(settings, opened, config.rules)
    engine.start()
    stack.callback(engine.stop)
    return engine


def _start_api(config: "Config", engine: "Engine", stack: ExitStack) -> "ApiServer":
    from engine.actors.view import EngineView
    from engine.api.app import create_app
    from engine.api.server import ApiServer, ListenError
    from engine.config import DEFAULT_FILE, ConfigError
    from engine.storage.queries import SqlReads

    reads = SqlReads(config.database)
    view: Inspection = EngineView(engine, _lookups(config, reads))
    token = config.api_token.get_secret_value() if config.api_token else None
    with_token = create_app(view, reads, token, require_token=True, token_env=config.api.token_env)
    without = create_app(view, reads, None, require_token=False)
    server = ApiServer(with_token, without, config.api.host, config.api.port, config.api_socket)
    try:
        server.start()
    except ListenError as error:
        raise ConfigError([f"{config.source or DEFAULT_FILE}: {error}"]) from error
    stack.callback(server.stop)
    return server


def _lookups(config: "Config", reads: "SqlReads") -> "Lookups":
    from engine.actors.view import Lookups
    from engine.storage.live import RedisLiveState
    from engine.storage.status import StatusBoard

    board = StatusBoard(config.redis_url)
    mirrors = [
        RedisLiveState(config.redis_url, number, partitions=config.storage.partitions)
        for number in range(config.storage.partitions)
    ]

    def ingest() -> dict[str, Any] | None:
        try:
            return board.read(INGEST_STATUS)
        except ConnectionError:
            return None

    def live() -> dict[str, Any]:
        try:
            held = {guild_id: len(it.read(guild_id)) for it in mirrors for guild_id in it.guilds()}
            return {
                "cursor": {str(number): it.cursor() for number, it in enumerate(mirrors)},
                "guilds": len(held),
                "sessions": sum(held.values()),
            }
        except ConnectionError as error:
            return {"cursor": None, "guilds": None, "sessions": None, "error": str(error)}

    return Lookups(reads.overview, reads.open_by_guild, ingest, live)


async def _ingest(config: "Config") -> int:
    from bot_adapter.client import ClientSettings
    from bot_adapter.clock import AnchoredClock
    from bot_adapter.ingest import Ingest, IngestSettings
    from engine.storage.outbox import OutboxReceiver
    from engine.storage.status import StatusBoard

    # One life of this writer: no other has started in the same millisecond under the same pid.
    source = f"ingest-{time.time_ns() // 1_000_000}-{os.getpid()}"
    writer = _writer(config, source)
    board = StatusBoard(config.redis_url)
    it = config.discord
    client = ClientSettings(
        token=_token(config),
        api_base_url=await _api_base_url(config),
        shard_count=it.shard_count,
        shard_ids=it.shard_ids,
        members_intent=it.members_intent,
    )
    ingest = Ingest(
        IngestSettings(source, client),
        writer,
        AnchoredClock(_journal_now(config)),
        OutboxReceiver(config.redis_url, "ingest"),
        lambda report: board.publish(INGEST_STATUS, report | writer.stats().report()),
    )
    writer.start()
    try:
        _stop_ingest_on_signals(ingest)
        await ingest.run()
    finally:
        await asyncio.to_thread(writer.close, WRITER_CLOSE_S)
    return 0


def _token(config: "Config") -> str:
    from bot_adapter.simulator.server import DEFAULT_TOKEN

    token = config.discord.token
    return DEFAULT_TOKEN if config.demo or token is None else token.get_secret_value()


def _writer(config: "Config", source: str) -> "JournalWriter":
    from engine.storage.writer import JournalWriter

    return JournalWriter(
        config.redis_url,
        source,
        spool_path=config.data_dir / "ingest.spool",
        partitions=config.storage.partitions,
        memory_max_entries=config.storage.memory_max_entries,
        spool_max_bytes=config.storage.spool_max_mb << 20,
    )


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


def _wait_for_redis(config: "Config", stopping: threading.Event) -> None:
    """Wait for the server of ours that is starting beside us, or for another's; that must be fit."""
    from engine.storage.embedded import EmbeddedServer
    from engine.storage.server_checks import wait_external

    if config.embedded_redis:
        EmbeddedServer(config.data_dir, config.redis_socket).wait_ready(REDIS_WAIT_S)
    else:
        wait_external(config.redis_url, REDIS_WAIT_S, stopping.wait)


def _stop_on_signals() -> threading.Event:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def _stop_ingest_on_signals(ingest: "Ingest") -> None:
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: tasks.add(loop.create_task(ingest.stop())))
