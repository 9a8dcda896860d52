"""``python -m tests.soak``: a daemon under a steady load for long; memory and descriptors must stay flat.

The whole daemon (redis, ingest, engine, and the parent) tracks the simulated Discord over a socket. Every few
seconds each process's memory and open descriptors are read; in the end the first quarter is held against
the last. Exits with 1 where an update is missing in the journal, or something has grown by more than a share.
"""

import argparse
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple, Self

import httpx
import psutil

from tests.daemon.running import Daemon, Simulator, until

GUILDS, MEMBERS_PER_GUILD = 10, 200
BURST_S = 20.0
SAMPLE_S = 2.0
GROWTH = 0.05  # notes of what trusted systems promise: under 5 % in a day
GROWTH_BYTES = 4 * 2**20  # and what a small process may take for its own caches
SETTLED_S = 60.0


class Sample(NamedTuple):
    """One process at one moment."""

    at_s: float
    name: str
    pid: int
    rss_bytes: int
    descriptors: int


class Watcher:
    """Reads the daemon's processes until it is told to stop."""

    def __init__(self, daemon: Daemon) -> None:
        self.samples: list[Sample] = []
        self._daemon, self._over = daemon, threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        started = time.monotonic()
        while not self._over.wait(SAMPLE_S):
            pids = {name: it["pid"] for name, it in self._daemon.children().items()}
            for name, pid in ({"parent": self._daemon.program.pid} | pids).items():
                process = psutil.Process(pid)
                at_s = time.monotonic() - started
                sample = Sample(at_s, name, pid, process.memory_info().rss, process.num_fds())
                self.samples.append(sample)


def burst(simulator: Simulator, rate: float, seed: int) -> int:
    """Send updates at a rate for a while; return how many."""
    wanted = {
        "count": round(rate * BURST_S),
        "rate": rate,
        "seed": seed,
        "members_per_guild": MEMBERS_PER_GUILD,
    }
    answer = httpx.post(f"{simulator.url}/sim/burst", json=wanted, trust_env=False, timeout=BURST_S * 4)
    answer.raise_for_status()
    return int(answer.json()["frames"])


def soak(minutes: float, rate: float) -> bool:
    """Run it all; return whether all was well."""
    with tempfile.TemporaryDirectory(prefix="rollcall-soak-") as folder:
        habits = {"guilds": GUILDS, "actions_per_s": 0.001}
        simulator = Simulator(Path(folder), **habits)
        discord = {"api_base_url": simulator.url, "gateway": "discord"}
        # So that journal and cache are within minutes as full as they get.
        storage = {"journal_max_entries": 100_000, "cache_mb": 32}
        tables = {"discord": discord, "storage": storage, "log": {"level": "warning"}}
        daemon = Daemon(tables, {"DISCORD_TOKEN": "simulator"})
        try:
            daemon.run()
            return _load(daemon, simulator, minutes, rate)
        finally:
            daemon.end()
            simulator.end()


def _load(daemon: Daemon, simulator: Simulator, minutes: float, rate: float) -> bool:
    sent, started = 0, time.monotonic()
    with Watcher(daemon) as watcher:
        while (spent_s := time.monotonic() - started) < minutes * 60:
            # The simulator prepares each burst before it sends it: what that takes is made up for.
            behind = max(0.0, rate * spent_s - sent) / BURST_S
            sent += burst(simulator, rate + min(behind, rate), seed=sent + 1)
            print(f"{spent_s / 60:5.1f} min, {sent:,} updates", file=sys.stderr, flush=True)
        spent_s = time.monotonic() - started
        # What the simulated people do by themselves comes on top.
        taken = until(lambda: (found := _taken(daemon)) >= sent and found, "all updates committed", SETTLED_S)
    again = daemon.client.get("/debug/top")["counters"]
    print(
        f"{sent:,} updates in {spent_s / 60:.1f} minutes, {sent / spent_s:,.0f}/s; "
        f"{taken:,} frames committed, {again['duplicates']} duplicates, {again['dead_letters']} dead letters"
    )
    flat = _told(watcher.samples, spent_s)
    return flat and not again["dead_letters"]


def _taken(daemon: Daemon) -> int:
    """Return how many frames the ingest has taken of those whose entries the engine has committed."""
    until(daemon.ready, "a daemon at work", SETTLED_S)
    (journal,) = daemon.client.get("/debug/journal")["items"]
    committed = journal["lag"] == 0 and journal["committedCursor"] == journal["lastId"]
    return int(journal["ingest"]["received"]) if committed else 0


def _told(samples: list[Sample], spent_s: float) -> bool:
    """Print a line for each process; return whether all are flat."""
    flat = True
    for name in dict.fromkeys(it.name for it in samples):
        mine = [it for it in samples if it.name == name]
        first = [it for it in mine if it.at_s < spent_s / 4]
        last = [it for it in mine if it.at_s >= spent_s * 3 / 4]
        rss = [statistics.median(it.rss_bytes for it in part) for part in (first, last)]
        descriptors = [round(statistics.median(it.descriptors for it in part)) for part in (first, last)]
        grown = rss[1] > rss[0] * (1 + GROWTH) and rss[1] > rss[0] + GROWTH_BYTES
        well = not grown and descriptors[1] <= descriptors[0] and len({it.pid for it in mine}) == 1
        flat = flat and well
        megabytes = " -> ".join(f"{it / 2**20:7.1f}" for it in rss)
        print(
            f"{name:9} memory {megabytes} MB ({rss[1] / rss[0] - 1:+.1%}), "
            f"descriptors {descriptors[0]} -> {descriptors[1]}: {'flat' if well else 'NOT FLAT'}"
        )
    return flat


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=1000.0, help="updates a second")
    chosen = parser.parse_args()
    return 0 if soak(chosen.minutes, chosen.rate) else 1


if __name__ == "__main__":
    sys.exit(main())
