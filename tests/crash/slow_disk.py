"""``python -m tests.crash.slow_disk``: the daemon on a disk of which each sync takes long.

Offers a second's updates each second for a while, and prints for each delay of a sync: updates committed a
second, how long an update took from the ingest to the commit, and the most that any actor's inbox held. Exits
with 1 where the daemon did not keep fifty updates a second, or an inbox passed its bound.
"""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from engine.actors.records import place
from engine.cli.failure import Failure
from engine.domain.inputs import VoiceStateChanged
from engine.domain.partition import START
from engine.storage.journal import RedisJournal
from tests.crash.dials import Dials
from tests.daemon.replay import ALL, cursor_of
from tests.daemon.running import Daemon, Simulator, until
from tests.soak import burst

SYNCS_MS = (0, 100, 300, 500)
RATE = 1_000.0
LOOK_S, LOOK_AT_INBOXES = 0.005, 40  # every so many looks
KEPT_PER_S = 50.0
INBOX_MAX = 10_000
COMMITTED_WITHIN_S = 120.0


class Found(NamedTuple):
    """``late_ms``: of each update, from the ingest to its commit."""

    per_s: float
    late_ms: list[int]
    inbox: int


class Watch:
    """Notes when the ledger's cursor moved, and the longest inbox."""

    def __init__(self, daemon: Daemon) -> None:
        self.moves: list[tuple[tuple[int, ...], int]] = []
        self.inbox = 0
        self._daemon, self._over = daemon, threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look on until the end of the block."""
        thread = threading.Thread(target=self._look)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _look(self) -> None:
        looks = 0
        while not self._over.wait(LOOK_S):
            cursor = place(cursor_of(self._daemon.config.database))
            if not self.moves or cursor > self.moves[-1][0]:
                self.moves.append((cursor, time.time_ns() // 1_000_000))
            if (looks := looks + 1) % LOOK_AT_INBOXES == 0:
                self._look_at_inboxes()

    def _look_at_inboxes(self) -> None:
        try:
            actors = self._daemon.client.get("/debug/actors")["items"]
        except Failure:
            return
        self.inbox = max([self.inbox, *(it["inbox"] or 0 for it in actors)])


def measure(daemon: Daemon, simulator: Simulator, seed: int) -> Found:
    """Send a burst, and follow it into the ledger."""
    with closing(RedisJournal(daemon.config.redis_url, 0)) as journal:
        before = journal.last_id()
        watch = Watch(daemon)
        with watch.watching():
            sent = burst(simulator, RATE, seed)
            entries = until(
                lambda: _voice(journal, before, sent), "all updates journaled", COMMITTED_WITHIN_S
            )
            last = place(entries[-1][0])
            until(lambda: watch.moves[-1][0] >= last, "all updates committed", COMMITTED_WITHIN_S)
    late_ms = list(_late_ms(entries, watch.moves))
    seconds = (entries[-1][1] + late_ms[-1] - entries[0][1]) / 1000
    return Found(len(entries) / seconds, sorted(late_ms), watch.inbox)


def _voice(journal: RedisJournal, before: str, wanted: int) -> list[tuple[str, int]] | None:
    """Return the updates' ids and moments, once all are there."""
    inputs = [(it.journal_id, it.entry.input) for it in journal.read(before or START, ALL, 0) if it.entry]
    found = [(journal_id, it.at) for journal_id, it in inputs if isinstance(it, VoiceStateChanged)]
    return found if len(found) >= wanted else None


def _late_ms(
    entries: Sequence[tuple[str, int]], moves: Sequence[tuple[tuple[int, ...], int]]
) -> Iterator[int]:
    reached = iter(moves)
    cursor, seen_at = next(reached)
    for journal_id, at in entries:
        while cursor < place(journal_id):
            cursor, seen_at = next(reached)
        yield seen_at - at


def run(syncs_ms: Sequence[int]) -> bool:
    """Measure with each delay on one daemon; return whether it was fast enough."""
    well = True
    print(f"{'sync ms':>8} {'updates/s':>10} {'median ms':>10} {'p99 ms':>8} {'longest ms':>11} {'inbox':>6}")
    with (
        tempfile.TemporaryDirectory(prefix="rollcall-slow-") as folder,
        _running(Path(folder)) as (
            daemon,
            simulator,
            dials,
        ),
    ):
        for seed, sync_ms in enumerate(syncs_ms, 1):
            dials.set(sync_ms=sync_ms)
            per_s, late_ms, inbox = measure(daemon, simulator, seed)
            middle, p99 = late_ms[len(late_ms) // 2], late_ms[len(late_ms) * 99 // 100]
            print(
                f"{sync_ms:8} {per_s:10,.0f} {middle:10,} {p99:8,} {late_ms[-1]:11,} {inbox:6,}", flush=True
            )
            well = well and per_s >= KEPT_PER_S and inbox <= INBOX_MAX
        dials.set()
    return well


@contextmanager
def _running(folder: Path) -> Iterator[tuple[Daemon, Simulator, Dials]]:
    dials, simulator = Dials(folder), Simulator(folder, guilds=10, actions_per_s=0.001)
    discord = {"api_base_url": simulator.url, "gateway": "discord"}
    daemon = Daemon(
        {"discord": discord, "log": {"level": "warning"}}, {"DISCORD_TOKEN": "simulator"} | dials.environ
    )
    try:
        yield daemon.run(), simulator, dials
    finally:
        daemon.end()
        simulator.end()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.slow_disk", description=__doc__)
    parser.add_argument("--sync-ms", type=int, nargs="+", default=SYNCS_MS)
    return 0 if run(parser.parse_args().sync_ms) else 1


if __name__ == "__main__":
    sys.exit(main())
