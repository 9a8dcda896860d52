"""The engine process: the journal into the ledger, HTTP beside it."""

import gc
import sys
import threading
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import structlog

from engine import directories
from engine.daemon.backups import needed_after, overview, samples, sound_ledger, start_backups
from engine.daemon.badges import start_badges
from engine.daemon.clock import await_lead, lead_clock, now
from engine.daemon.common import FAILED, WRITER_CLOSE_S, source_of, stop_on_signals, writer
from engine.daemon.holes import HoleTeller
from engine.daemon.lookups import active_events, lookups, mirrors
from engine.daemon.notices import start_notices
from engine.daemon.trackers import load_trackers, rules, start_trackers
from engine.processes.heartbeat import beat
from engine.processes.lifeline import watch_parent
from engine.storage.database import suspect_mark
from engine.storage.lock import DataDirLock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from engine.actors.desk import Desk
    from engine.actors.engine import Engine
    from engine.api.server import ApiServer
    from engine.badges.delivery import DeliveryStats
    from engine.config import Config
    from engine.domain.rules import Rules
    from engine.inspection import Described, Inspection, Sample
    from engine.storage.backups import Backups
    from engine.storage.protocols import Stores
    from engine.storage.writer import JournalWriter

log = structlog.get_logger(__name__)

CHECK_EVERY_S = 1.0
REDIS_WAIT_S = 30.0
# A thread that waits for the interpreter gets it after this; Python's own 5 ms would be half a batch's time.
SWITCH_INTERVAL_S = 0.001
# Sessions and effects are acyclic and freed by their counts; Python's own thresholds would have a quarter of
# the engine's time go into looking for cycles among them.
GC_THRESHOLDS = (500_000, 20, 100)


class Beside(NamedTuple):
    """What works beside the engine's actors."""

    desk: "Desk"
    writer: "JournalWriter"
    badges: "DeliveryStats"
    notices: "DeliveryStats"
    trackers: "Callable[[], list[Described]]"
    backups: "Backups"


def main(config: "Config") -> int:
    """Run the engine: the journal into the ledger, HTTP beside it."""
    from engine.actors.desk import Desk

    directories.prepare(config)
    watch_parent()
    tune_interpreter()
    stopping = stop_on_signals()
    with ExitStack() as stack:
        stack.enter_context(DataDirLock(config.data_dir, "engine"))
        _wait_for_redis(config, stopping)
        if stopping.is_set():
            return 0
        lead_clock(config, stack)
        sound_ledger(config)
        backups = start_backups(config, stack)
        loaded, opened = load_trackers(config), _open_stores(config, backups, stack)
        engine = _start_engine(config, opened, rules(config, loaded), stack)
        await_lead()  # from here on the engine itself tells the journal something
        journal = writer(config, source_of("engine"), "engine.spool")
        journal.start()
        stack.callback(journal.close, WRITER_CLOSE_S)
        engine.aftermath.append = journal.append
        beside = Beside(
            Desk(journal, engine.aftermath.answers, partitions=config.storage.partitions, clock=now),
            journal,
            start_badges(config, engine, journal, stack),
            start_notices(config, engine, journal, stack),
            start_trackers(engine, loaded, opened, journal, stack),
            backups,
        )
        _start_api(config, engine, beside, stack)
        holes = stack.enter_context(closing(HoleTeller(config.redis_url)))
        while not stopping.wait(CHECK_EVERY_S):
            beat()
            holes.tell(hole for inside in engine.inside for hole in inside.holes())
            engine.check()
            if engine.failed.is_set():
                log.error("engine_ends", reason=engine.reason)
                return FAILED
            if suspect_mark(config.database).exists():
                log.error("engine_ends", reason=f"{config.database} is damaged: the next start looks at it")
                return FAILED
    return 0


def tune_interpreter() -> None:
    """Set the interpreter up for many long-lived objects without cycles, and for short turns of threads."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def stores(config: "Config", partition: int, backups: "Backups | None" = None) -> "Stores":
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
            needed_after=needed_after(backups, partition),
        ),
        SqlLedger(config.database, partition, it.partitions, cache_kib=it.cache_mb * 1024),
        RedisLiveState(url, partition, partitions=it.partitions),
        OutboxSender(url),
    )


def _open_stores(config: "Config", backups: "Backups | None", stack: ExitStack) -> "list[Stores]":
    opened: list[Stores] = []
    for partition in range(config.storage.partitions):
        opened.append(stores(config, partition, backups))
        stack.callback(opened[-1].ledger.close)
    return opened


def _start_engine(config: "Config", opened: "list[Stores]", wanted: "Rules", stack: ExitStack) -> "Engine":
    from engine.actors.engine import Engine, EngineSettings
    from engine.storage.comparison import Comparison

    settings = EngineSettings(
        workers=config.engine.workers,
        batch_max_entries=config.engine.batch_max_entries,
        park_after_ms=round(config.engine.park_after_s * 1000),
        reconcile_every_s=config.engine.reconcile_every_s,
    )
    it = config.storage
    compared = [
        Comparison(config.database, config.redis_url, number, it.partitions)
        for number in range(it.partitions)
    ]
    engine = Engine(settings, opened, wanted, compared=compared)
    engine.start()
    stack.callback(engine.stop)
    return engine


def _start_api(config: "Config", engine: "Engine", beside: Beside, stack: ExitStack) -> "ApiServer":
    from engine.actors.view import EngineView
    from engine.api.app import create_app
    from engine.api.server import ApiServer, ListenError, refuse_open_door
    from engine.config import DEFAULT_FILE, ConfigError
    from engine.storage.queries import SqlReads

    reads, mirrored = SqlReads(config.database), mirrors(config)
    told = lookups(config, mirrored, reads, (beside.badges, beside.notices), beside.trackers)
    told = told._replace(storage=partial(overview, config, beside.backups), samples=partial(_samples, beside))
    view: Inspection = EngineView(engine, told, now)
    token = config.api_token.get_secret_value() if config.api_token else None
    name = config.api.token_env
    app = partial(
        create_app, view, reads, commands=beside.desk, active_events=active_events(mirrored), token_env=name
    )
    with_token, without = app(token, require_token=True), app(None, require_token=False)
    server = ApiServer(with_token, without, config.api.host, config.api.port, config.api_socket)
    try:
        refuse_open_door(config.api.host, token, name)
        server.start()
    except ListenError as error:
        raise ConfigError([f"{config.source or DEFAULT_FILE}: {error}"]) from error
    stack.callback(server.stop)
    return server


def _samples(beside: Beside) -> "Iterable[Sample]":
    from engine.actors.metrics import writer_samples

    yield from samples(beside.backups)
    yield from writer_samples(beside.writer.stats().report())


def _wait_for_redis(config: "Config", stopping: threading.Event) -> None:
    """Wait for the server of ours that is starting beside us, or for another's; that must be fit."""
    from engine.storage.embedded import EmbeddedServer
    from engine.storage.server_checks import wait_external

    if config.embedded_redis:
        EmbeddedServer(config.data_dir, config.redis_socket).wait_ready(REDIS_WAIT_S)
    else:
        wait_external(config.redis_url, REDIS_WAIT_S, stopping.wait)
