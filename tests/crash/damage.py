"""Damage to files while the daemon is down: all of it was killed at once, and is started again after it."""

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from engine.actors.records import place
from tests.crash.stage import Stage
from tests.daemon.running import until

Hand = Callable[[Path, random.Random], None]
ZEROS = 4096
TORN_BYTES = 300  # some commands; what the engine had not taken by then is gone for good


def strike(what: str, stage: Stage, draw: random.Random) -> None:
    """Kill the daemon, damage a file of its, and start it again."""
    daemon = stage.daemon
    daemon.kill()
    until(lambda: not daemon.orphans(), "the end of the children")
    stage.taken_at = stage.cursor()
    stage.last_at = place(stage.witness.last_id)
    KINDS[what](daemon.config.data_dir, draw)
    daemon.program = daemon.start("run")


def append_only_file(data_dir: Path) -> Path:
    """Return the file that the server appends to."""
    return max(
        (data_dir / "redis" / "appendonlydir").glob("*.incr.aof"), key=lambda it: it.stat().st_mtime_ns
    )


def tear(data_dir: Path, draw: random.Random) -> None:
    """Cut the end off: the last commands are gone, one of them in part."""
    file = append_only_file(data_dir)
    with file.open("r+b") as opened:
        opened.truncate(max(0, file.stat().st_size - draw.randint(1, TORN_BYTES)))


def half(data_dir: Path, draw: random.Random) -> None:
    """Leave half a command at the end, as a death in the middle of a write does."""
    whole = b"*5\r\n$4\r\nXADD\r\n$18\r\nrollcall:journal:0\r\n$1\r\n*\r\n$1\r\ne\r\n$40\r\n"
    with append_only_file(data_dir).open("ab") as file:
        file.write(whole[: draw.randint(1, len(whole) - 1)])


def zeros(data_dir: Path, draw: random.Random) -> None:
    """Append zeros, as a loss of power may."""
    with append_only_file(data_dir).open("ab") as file:
        file.write(bytes(draw.randint(1, ZEROS)))


def flip(data_dir: Path, draw: random.Random) -> None:
    """Turn one bit over, somewhere in the second half."""
    file = append_only_file(data_dir)
    size = file.stat().st_size
    _flip(file, draw.randrange(size // 2, size), draw)


def empty(data_dir: Path, draw: random.Random) -> None:
    """Take the server's directory away."""
    shutil.rmtree(data_dir / "redis")


def page(data_dir: Path, draw: random.Random) -> None:
    """Write noise over a page of the ledger, behind its first."""
    ledger = _ledger(data_dir)
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute(
            "PRAGMA wal_checkpoint(TRUNCATE)"
        )  # else a good copy of the page may be in the log
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with ledger.open("r+b") as file:
        file.seek(size * draw.randrange(1, ledger.stat().st_size // size))
        file.write(draw.randbytes(size))


def log(data_dir: Path, draw: random.Random) -> None:
    """Cut the ledger's log off anywhere: its last commits are undone."""
    file = _ledger(data_dir).with_name(_ledger(data_dir).name + "-wal")
    with file.open("r+b") as opened:
        opened.truncate(draw.randrange(file.stat().st_size))


def _ledger(data_dir: Path) -> Path:
    (found,) = data_dir.glob("*.db")
    return found


def _flip(file: Path, offset: int, draw: random.Random) -> None:
    with file.open("r+b") as opened:
        opened.seek(offset)
        (byte,) = opened.read(1)
        opened.seek(offset)
        opened.write(bytes([byte ^ 1 << draw.randrange(8)]))


KINDS: dict[str, Hand] = {
    "tear": tear,
    "half": half,
    "zeros": zeros,
    "flip": flip,
    "empty": empty,
    "page": page,
    "log": log,
}
DAMAGE = {f"{what}": partial(strike, what) for what in KINDS}
