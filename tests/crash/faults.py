"""Blows that a running daemon must take: processes stopped, disks slow or full, Redis or the gateway away.

Each is a function of the stage and of what draws its details; when it returns, the cause is gone.
"""

import os
import random
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path

import psutil

from engine.actors.records import place
from engine.storage.journal import stream_key
from engine.storage.redis_client import connect
from tests.crash.stage import Stage
from tests.daemon.replay import cursor_of
from tests.daemon.running import until
from tests.daemon.truth import Window

Blow = Callable[[Stage, random.Random], None]
STOP_S = (0.5, 3.0)
INGEST_STOP_S = (1.3, 3.0)  # what is shorter than a second it does not notice, and promises nothing of
# A stall begins at the last sign of life before it, and ends when its end is proven.
STALL_MARGIN_MS = 1_000
LOCK_S = (0.5, 3.0)
FULL_S = (0.5, 3.0)
AWAY_S, AWAY_AGAIN_S = (8.0, 20.0), 0.1  # longer than the parent lets a server hang
GAP_S = (0.5, 10.0)
CONNECTED_WITHIN_S = 60.0  # what a client waits between its tries
SLOW_S, SYNC_MS = (3.0, 6.0), (100, 500)
DISK_FULL_S = (4.0, 9.0)  # long enough for a server to end more often than its parent forgives
_SOCKETS = shutil.ignore_patterns("*.sock")


def stop(name: str, stage: Stage, draw: random.Random) -> None:
    """SIGSTOP a process for a while: it does not know that time has passed. ``name``: parent, or a child."""
    pid = stage.daemon.program.pid if name == "parent" else stage.daemon.pid(name)
    with _stall(stage) if name == "ingest" else nullcontext():
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(stage.lasts_s(draw, *(INGEST_STOP_S if name == "ingest" else STOP_S)))
        finally:
            with suppress(ProcessLookupError):  # whoever found it hanging may have ended it
                os.kill(pid, signal.SIGCONT)


def away(stage: Stage, draw: random.Random) -> None:
    """SIGSTOP the embedded server, and each one that its parent starts instead."""
    until_s = time.monotonic() + stage.lasts_s(draw, *AWAY_S)
    while time.monotonic() < until_s:
        with suppress(ProcessLookupError):
            os.kill(stage.daemon.pid("redis"), signal.SIGSTOP)
        time.sleep(AWAY_AGAIN_S)
    with suppress(ProcessLookupError):
        os.kill(stage.daemon.pid("redis"), signal.SIGCONT)


def gap(stage: Stage, draw: random.Random) -> None:
    """Take the gateway away; what happens meanwhile comes with the RESUME, if that is not too late."""
    with _stall(stage):
        _without_gateway(stage, stage.lasts_s(draw, *GAP_S), resumable=True)


def invalid(stage: Stage, draw: random.Random) -> None:
    """The same, and the session is forgotten meanwhile: a new one begins, with snapshots."""
    _without_gateway(stage, stage.lasts_s(draw, *GAP_S), resumable=False)


def _without_gateway(stage: Stage, seconds: float, *, resumable: bool) -> None:
    stage.city.fault("refuse_gateway", seconds=seconds)
    stage.city.fault("drop", resumable=resumable)
    time.sleep(seconds)
    until(stage.city.connected, "the gateway again", CONNECTED_WITHIN_S)


@contextmanager
def _stall(stage: Stage) -> Iterator[None]:
    """Note a time in which the ingest did not hear what happened when it did."""
    began_at = time.time_ns() // 1_000_000
    yield
    ended_at = time.time_ns() // 1_000_000
    stage.stalls.append(Window(began_at - STALL_MARGIN_MS, ended_at + STALL_MARGIN_MS))


def slow(stage: Stage, draw: random.Random) -> None:
    """Have each sync to the disk take long, the server's, the ledger's and the spool's."""
    stage.turn(sync_ms=draw.randint(*SYNC_MS))
    time.sleep(stage.lasts_s(draw, *SLOW_S))
    stage.turn()


def lock(stage: Stage, draw: random.Random) -> None:
    """Hold the ledger's write lock on a connection of somebody else's."""
    with closing(sqlite3.connect(stage.daemon.config.database, timeout=30, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(stage.lasts_s(draw, *LOCK_S))
        other.execute("ROLLBACK")


def limit(stage: Stage, draw: random.Random) -> None:
    """Let the engine's files not grow: what SQLite appends to its log fails."""
    engine = psutil.Process(stage.daemon.pid("engine"))
    _, hard = engine.rlimit(psutil.RLIMIT_FSIZE)
    largest = max(it.stat().st_size for it in stage.daemon.config.data_dir.glob("*.db-wal"))
    engine.rlimit(psutil.RLIMIT_FSIZE, (largest, hard))
    try:
        until(lambda: stage.daemon.program.text().count("ledger_busy"), "a ledger that is full")
        time.sleep(stage.lasts_s(draw, *FULL_S))
    finally:
        with suppress(psutil.NoSuchProcess):
            engine.rlimit(psutil.RLIMIT_FSIZE, (hard, hard))


# The journal may be emptied only where it is no loss: at an entry that the ledger has taken.
_FLUSH = """
    local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1][1]
    if newest ~= ARGV[1] then return 0 end
    redis.call('FLUSHALL')
    return 1
"""


def flush(stage: Stage, draw: random.Random) -> None:
    """FLUSHALL at a moment when all that is journaled is taken: the journal and the live state are gone."""

    def flushed() -> bool:
        cursor = cursor_of(stage.daemon.config.database)
        seen = place(stage.witness.last_id) >= place(cursor)
        return seen and bool(client.eval(_FLUSH, 1, stream_key(0), cursor))

    with connect(stage.daemon.config.redis_url) as client:
        stage.taken_at = place("0-0")
        until(flushed, "a moment at which the ledger has all", every_s=0.001)
    stage.taken_at = stage.last_at = stage.cursor()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[bool]:
    """Mount a small disk in memory on a folder, whose files stay; False where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = os.system(f"mount -t tmpfs -o size={megabytes}m none '{folder}' 2>/dev/null") == 0
    try:
        yield mounted
    finally:
        if mounted:
            kept = Path(shutil.copytree(folder, folder.with_name(f"{folder.name}.kept"), ignore=_SOCKETS))
            os.system(f"umount -l '{folder}'")
            folder.rmdir()
            kept.rename(folder)


def fill(stage: Stage, draw: random.Random) -> None:
    """Fill the disk to the last byte, journal and spool and all, and make room again after a while."""
    ballast = stage.daemon.config.data_dir / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(64 << 10)):
            pass
    time.sleep(stage.lasts_s(draw, *DISK_FULL_S))
    ballast.unlink()


RUNNING: dict[str, Blow] = {
    **{f"stop {it}": partial(stop, it) for it in ("parent", "engine", "ingest", "redis")},
    "away": away,
    "gap": gap,
    "invalid": invalid,
    "slow": slow,
    "lock": lock,
    "limit": limit,
    "flush": flush,
    "fill": fill,
}
