"""The engine process: the journal into the ledger, HTTP beside it."""

import gc
import sys
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import structlog

from engine import directories
from engine.daemon.common import FAILED, INGEST_STATUS, WRITER_CLOSE_S, source_of, stop_on_signals, writer
from engine.processes.lifeline import watch_parent
from engine.storage.lock import DataDirLock

if TYPE_CHECKING:
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
REDIS_WAIT_S = 30.0
# A thread that waits for the interpreter gets it after this; Python's own 5 ms would be half a batch's time.
SWITCH_INTERVAL_S = 0.001
# Sessions and effects are acyclic and freed by their counts; Python's own thresholds would have a quarter of
# the engine's time go into looking for cycles among them.
GC_THRESHOLDS = (500_000, 20, 100)


def main(config: "Config") -> int:
    """Run the engine: the journal into the ledger, HTTP beside it."""
    directories.prepare(config)
    watch_parent()
    tune_interpreter()
    stopping = stop_on_signals()
    with ExitStack() as stack:
        stack.enter_context(DataDirLock(config.data_dir, "engine"))
        _wait_for_redis(config, stopping)
        if stopping.is_set():
            return 0
        engine = _start_engine(config, stack)
        journal = writer(config, source_of("engine"), "engine.spool")
        journal.start()
        stack.callback(journal.close, WRITER_CLOSE_S)
        _start_api(config, engine, journal, stack)
        while not stopping.wait(CHECK_EVERY_S):
            engine.check()
            if engine.failed.is_set():
                log.error("engine_ends", reason=engine.reason)
                return FAILED
    return 0


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


def _start_api(config: "Config", engine: "Engine", journal: "JournalWriter", stack: ExitStack) -> "ApiServer":
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


def _wait_for_redis(config: "Config", stopping: threading.Event) -> None:
    """Wait for the server of ours that is starting beside us, or for another's; that must be fit."""
    from engine.storage.embedded import EmbeddedServer
    from engine.storage.server_checks import wait_external

    if config.embedded_redis:
        EmbeddedServer(config.data_dir, config.redis_socket).wait_ready(REDIS_WAIT_S)
    else:
        wait_external(config.redis_url, REDIS_WAIT_S, stopping.wait)
