"""One seed: a history taken with faults and without, both held against the oracle and each other."""

import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import structlog

from engine.storage.ledger import SqlLedger
from tests.simulation.engine_room import LedgerMaker, Room
from tests.simulation.faults import Faults
from tests.simulation.histories import History, drawn_history
from tests.simulation.judge import judged
from tests.simulation.server import Server
from tests.simulation.tables import count, differences, mirror_differences, tables_of

IN_MEMORY = Path("/dev/shm")  # noqa: S108 - no file of ours stands there by a known name


@dataclass
class Defect:
    """Something of the engine that is made to be wrong, in the run with faults."""

    ledger_at: LedgerMaker = lambda path: SqlLedger(path, 0)
    server: Callable[[], Server] = Server


@dataclass
class Figures:
    """What came of a seed, or of many. ``wrong``: how rows differ, a line each, by seed."""

    seeds: int = 0
    entries: int = 0
    lives: int = 0
    rewinds: int = 0
    turns: int = 0
    rows: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    wrong: dict[int, list[str]] = field(default_factory=dict)

    def add(self, other: "Figures") -> None:
        self.seeds += other.seeds
        self.entries += other.entries
        self.lives += other.lives
        self.rewinds += other.rewinds
        self.turns += other.turns
        self.rows += other.rows
        self.kinds += other.kinds
        self.faults += other.faults
        self.wrong |= other.wrong

    def __str__(self) -> str:
        crashes = sum(number for kind, number in self.faults.items() if kind.startswith("killed"))
        faults = ", ".join(f"{kind} {number}" for kind, number in sorted(self.faults.items()))
        kinds = ", ".join(f"{kind} {number}" for kind, number in sorted(self.kinds.items()))
        return (
            f"{self.seeds} seeds ({kinds}): {self.entries} entries, {self.turns} turns, {self.lives} lives, "
            f"{crashes} crashes, {self.rewinds} rewinds of the journal, "
            f"{sum(self.faults.values())} faults ({faults}), "
            f"{self.rows} rows compared, {sum(map(len, self.wrong.values()))} differ in {len(self.wrong)} seeds"
        )


def simulate(seed: int, folder: Path, defect: Defect | None = None) -> Figures:
    """Run one seed. ``folder`` is for its ledgers, and is left as it was."""
    history = drawn_history(Random(f"{seed} history"))
    figures = Figures(seeds=1, kinds=Counter([history.kind]), entries=len(history.entries))
    try:
        wrong = list(_compared(seed, history, folder, defect or Defect(), figures))
    except Exception as error:
        wrong = [f"{type(error).__name__}: {error}"]
    if wrong:
        figures.wrong[seed] = wrong
    return figures


def _compared(seed: int, history: History, folder: Path, defect: Defect, figures: Figures) -> Iterator[str]:
    faults = Faults(Random(f"{seed} faults"))
    room = _room(seed, "with", history, faults, folder, defect.ledger_at, defect.server())
    steady = _room(seed, "without", history, Faults(Random(0), none=True), folder)
    try:
        room.run()
        steady.run()
        found, expected = tables_of(room.database), tables_of(steady.database)
        yield from differences(found, expected)
        told, rows = judged(history, room.closing, room.database)
        yield from told
        yield from _mirror(room)
        if room.drift_ms or steady.drift_ms:
            yield f"attendance drifted by {room.drift_ms} and {steady.drift_ms} ms"
        figures.rows += count(expected) + rows
    finally:
        figures.lives, figures.turns, figures.rewinds = room.lives, room.turns, room.rewinds
        figures.faults = +faults.struck
        for database in (room.database, steady.database):
            for it in folder.glob(f"{database.name}*"):
                it.unlink()


def _room(seed: int, name: str, history: History, faults: Faults, folder: Path, *defect: Any) -> Room:
    faults.poison = history.poison
    return Room(Random(f"{seed} turns {name}"), history, faults, folder / f"{name}.db", *defect)


def _mirror(room: Room) -> list[str]:
    ledger = SqlLedger(room.database, 0)
    try:
        return mirror_differences(room.server, ledger)
    finally:
        ledger.close()


@contextmanager
def quiet_folder() -> Iterator[Path]:
    """Give a folder in memory for the ledgers, and have the engine log nothing of what goes wrong by intent."""
    folder = Path(tempfile.mkdtemp(dir=IN_MEMORY if IN_MEMORY.is_dir() else None))
    pykkas, configured = logging.getLogger("pykka"), structlog.get_config()
    level = pykkas.level
    pykkas.setLevel(logging.CRITICAL + 1)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield folder
    finally:
        structlog.configure(**configured)
        pykkas.setLevel(level)
        shutil.rmtree(folder)
