"""(f) what trackers cost: each mark, at few subjects and at many, and many deadlines that pass at once.

A subject is a guild's player. Scopes of a hundred marks hold all of them inactive, then active, and so on: in
the order of their guilds, as who looks at one after the other does, or each time in a new order, where each
mark of many touches another page of the ledger. They are taken a thousand marks at a time: as many as there
are subjects where there are few, so that no size has the advantage of a batch that writes fewer rows than it
has marks.
"""

import json
import random
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from capacity import Bench

from engine.daemon.engine import tune_interpreter
from engine.domain.inputs import GuildSnapshot, Heartbeat, ShardBeat, VoiceState
from engine.domain.rules import Rules, TrackingRules
from engine.domain.tracker_inputs import ScopeCommitted, SubjectMark
from engine.domain.tracking import SubjectKind, SubjectState

TOGETHER = 1_000  # marks of one batch
IN_SCOPE = 100
START_AT = 1_750_000_000_000
GUILDS_FROM = 10**18
OWN_USER = 3 * 10**18
TRACKER = "bench"
RULES = Rules(tracking=TrackingRules(trackers=(TRACKER,)))


class Players:
    """A bot that is in voice in so many guilds, and an engine that knows of it."""

    def __init__(self, folder: Path, subjects: int) -> None:
        self.bench, self._database = Bench(folder, RULES), folder / "bench.db"
        self._guilds = [GUILDS_FROM + (n << 22) for n in range(subjects)]
        self.at, self._random = START_AT, random.Random(1)
        self.bench.engine.start()
        self.beat()
        self.bench.append_all(map(self._snapshot, self._guilds), 200)
        self.bench.wait_committed()

    def beat(self) -> None:
        """Let the engine know the time."""
        self.bench.append([Heartbeat(self.at, (ShardBeat(0, "bench/1", True, self.at),))])

    def scopes(self, *, inactive: bool, shuffled: bool = False) -> Iterator[list[ScopeCommitted]]:
        """Yield a mark on each subject: the scopes of a batch at a time."""
        self.at += 1
        order = self._random.sample(self._guilds, len(self._guilds)) if shuffled else self._guilds
        for start in range(0, len(order), TOGETHER):
            ends = range(start, start + TOGETHER, IN_SCOPE)
            yield [self._scope(order[it : it + IN_SCOPE], inactive=inactive) for it in ends]

    def used_s(self, scopes: list[ScopeCommitted]) -> float:
        """Return the CPU time that a batch takes, the engine's and the server's."""
        self.bench.journal.open.clear()
        self.bench.append(list(scopes))
        before = self._cpu_s()
        self.bench.journal.open.set()
        self.bench.wait_committed()
        return self._cpu_s() - before

    def count(self, rows: str) -> int:
        """Return how many rows the ledger has of those that ``rows`` names."""
        with closing(sqlite3.connect(self._database)) as database:
            (found,) = database.execute(f"SELECT count(*) FROM {rows}").fetchone()
        return int(found)

    def _cpu_s(self) -> float:
        server = psutil.Process(self.bench.server.pid).cpu_times()
        return time.process_time() + server.user + server.system

    def _snapshot(self, guild_id: int) -> GuildSnapshot:
        own = VoiceState(OWN_USER, guild_id + 1, 0, f"{guild_id:032x}", True)
        return GuildSnapshot(self.at, guild_id, "bench/1", (own,), own_user_id=OWN_USER)

    def _scope(self, guilds: list[int], *, inactive: bool) -> ScopeCommitted:
        marks = (SubjectMark(it, int(SubjectKind.PLAYER), it, inactive) for it in guilds)
        return ScopeCommitted(self.at, TRACKER, tuple(marks))


def marks(subjects: int, rounds: int, *, shuffled: bool) -> float:
    """Return the CPU time of one mark, in us, over an even number of rounds.

    The first two rounds make the rows, and are not counted.
    """
    with TemporaryDirectory(prefix="rollcall-bench-") as folder:
        players, used_s = Players(Path(folder), subjects), 0.0
        for number in range(rounds + 2):
            scopes = players.scopes(inactive=number % 2 == 0, shuffled=shuffled)
            took_s = sum(map(players.used_s, scopes))
            used_s += took_s if number > 1 else 0.0
            expect(players, SubjectState.ACTIVE if number % 2 else SubjectState.INACTIVE, subjects)
        players.bench.close()
    return used_s / (rounds * subjects) * 1e6


def expirations(subjects: int) -> float:
    """Return the seconds from the entry that shows that all deadlines have come to their ends' commit."""
    with TemporaryDirectory(prefix="rollcall-bench-") as folder:
        players = Players(Path(folder), subjects)
        players.bench.append_all(it for them in players.scopes(inactive=True) for it in them)
        players.bench.wait_committed()
        expect(players, SubjectState.INACTIVE, subjects)
        players.at += RULES.tracking.default_timeout_ms
        started = time.perf_counter()
        players.beat()
        players.bench.wait_committed()
        took_s = time.perf_counter() - started
        expect(players, SubjectState.EXPIRED, subjects)
        sent = players.count("outbox WHERE kind = 'disconnect'")
        players.bench.close()
    if sent != subjects:
        raise SystemExit(f"{sent} bots are taken out of voice instead of {subjects}")
    return took_s


def expect(players: Players, state: SubjectState, subjects: int) -> None:
    """Check that all subjects stand where they are to: else the figures are of something else."""
    found = players.count(f"subject WHERE state = {state:d}")
    if found != subjects:
        raise SystemExit(f"{found} subjects are {state.name.lower()} instead of {subjects}")


def measure(few: int, many: int, count: int) -> dict[str, float]:
    """``count``: of the marks at each size, at least."""
    figures: dict[str, float] = {"few": few, "many": many}
    for size, order in product(("few", "many"), ("ordered", "shuffled")):
        subjects = int(figures[size])
        rounds = max(2, -(-count // (2 * subjects)) * 2)
        figures[f"{size}_{order}_cpu_us"] = marks(subjects, rounds, shuffled=order == "shuffled")
    return figures | {"expirations_per_s": many / expirations(many)}


if __name__ == "__main__":
    tune_interpreter()
    print(json.dumps(measure(*map(int, sys.argv[1:4]))))
