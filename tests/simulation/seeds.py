"""One seed: a history taken with faults and without, both held against the oracle and each other."""

import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import structlog
from msgspec.structs import replace

from engine.storage.ledger import SqlLedger
from tests.simulation.engine_room import SOUND, Room, Storage
from tests.simulation.faults import Faults
from tests.simulation.histories import History, drawn_history
from tests.simulation.judge import judged
from tests.simulation.tables import count, differences, mirror_differences, tables_of

IN_MEMORY = Path("/dev/shm")


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
            f"{self.rows} rows compared, "
            f"{sum(map(len, self.wrong.values()))} differ in {len(self.wrong)} seeds"
        )


def simulate(seed: int, folder: Path, storage: Storage = SOUND) -> Figures:
    """Run one seed. ``folder`` is for its ledgers. ``storage``: of the run with faults."""
    history = drawn_history(Random(f"{seed} history"))
    figures = Figures(seeds=1, kinds=Counter([history.kind]), entries=len(history.entries))
    try:
        wrong = list(_compared(seed, history, folder, storage, figures))
    except Exception as error:
        wrong = [f"{type(error).__name__}: {error}"]
    if wrong:
        figures.wrong[seed] = wrong
    return figures


def _compared(seed: int, history: History, folder: Path, storage: Storage, figures: Figures) -> Iterator[str]:
    faults, none = Faults(Random(f"{seed} faults")), Faults(Random(0), none=True)
    faults.poison = none.poison = history.poison
    room = Room(Random(f"{seed} turns"), history, faults, folder / "with.db", storage)
    steady = Room(Random(f"{seed} steady turns"), history, none, folder / "without.db")
    try:
        room.run()
        steady.run()
        found, expected = tables_of(room.database), tables_of(steady.database)
        yield from differences(found, expected)
        told, rows = judged(history, room.closing, room.database)
        yield from told
        with closing(SqlLedger(room.database, 0)) as ledger:
            yield from mirror_differences(room.server, ledger)
        yield from _answers(room, steady)
        if room.drift_ms or steady.drift_ms:
            yield f"attendance drifted by {room.drift_ms} and {steady.drift_ms} ms"
        figures.rows += count(expected) + rows
    finally:
        figures.lives, figures.turns, figures.rewinds = room.lives, room.turns, room.rewinds
        figures.faults = +faults.struck
        for database in (room.database, steady.database):
            for it in folder.glob(f"{database.name}*"):
                it.unlink()


def _answers(room: Room, steady: Room) -> Iterator[str]:
    """Compare what requests were answered. Not all were: some who waited have died with their process.

    How much was forgotten, nobody can say any more where the reply to the very commit was lost.
    """
    yield from room.twice
    for request_id, answer in room.answers.items():
        expected = steady.answers.get(request_id)
        if expected is not None and not answer.detail:
            expected = replace(expected, detail={})
        if request_id and answer != expected:
            yield f"answer: {answer} instead of {expected}"


@contextmanager
def quiet_folder() -> Iterator[Path]:
    """Give a folder in memory for the ledgers, and have the engine log nothing of what goes wrong."""
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
