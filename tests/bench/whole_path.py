"""(c) py-cord alone against the whole path, fed the same frames by the simulator over a socket.

The whole path is what ``rollcall run`` starts: redis, ingest and engine, each a process, with the usual
settings. An update counts from the moment its frame was read (the ``at`` of its journal entry) to the
return of the commit that holds it: the journal says which entries there were, the engine when each commit
returned.
"""

import json
import statistics
import sys
import time
from bisect import bisect_left
from contextlib import closing
from typing import NamedTuple

from stage import HERE, Simulator, Stage

from engine.cli.client import EngineClient
from engine.cli.failure import Failure
from engine.config import Config, load
from engine.domain.inputs import VoiceStateChanged
from engine.domain.partition import START
from engine.storage.database import driver, open_readonly
from engine.storage.journal import RedisJournal

GUILDS, USERS = 10, 200
OFFERED_PER_S = 2_000
LATE_MS = 50
SETTLE_S = 0.3
_SETTINGS = """
[discord]
gateway = "discord"
api_base_url = "{base_url}"
[api]
port = 0
[log]
level = "warning"
"""


class Update(NamedTuple):
    """One update on its way; moments in ms UTC, ``journaled_at`` by the server's clock."""

    received_at: int
    journaled_at: int
    committed_at: float


def pycord_alone(count: int) -> dict[str, float]:
    """Return py-cord's updates per second and CPU."""
    with Stage() as stage:
        simulator = Simulator(stage, GUILDS)
        stage.start("pycord", HERE / "pycord_alone.py", simulator.base_url, stage.folder, str(count))
        stage.wait_file("ready")
        before = stage.cpu_s()
        simulator.burst(count, guilds=GUILDS, users=USERS)
        seconds = json.loads(stage.wait_file("handled.json", 120))["seconds"]
        return {"updates_per_s": count / seconds} | _cpu_us(before, stage.cpu_s(), count)


def whole_path(count: int, rate: float = 0.0) -> tuple[list[Update], dict[str, float]]:
    """Return every update's moments, in the order of the journal, and the CPU of each process."""
    with Stage() as stage:
        simulator = Simulator(stage, GUILDS)
        config = _start_rollcall(stage, simulator.base_url)
        journal = RedisJournal(config.redis_url, 0)
        empty = journal.length()
        before = stage.cpu_s()
        simulator.burst(count, guilds=GUILDS, users=USERS, rate=rate)
        stage.wait("all updates in the journal", lambda: _settled(journal, empty + count), 120)
        cursor = journal.last_id()
        stage.wait("all updates committed", lambda: _committed(config, cursor), 120)
        cpu = _cpu_us(before, stage.cpu_s(), count)
        stage.stop("ingest")
        stage.stop("engine")
        updates = _updates(journal, json.loads((stage.folder / "commits.json").read_text()))
        journal.close()
        if len(updates) != count:
            raise SystemExit(f"{len(updates)} updates are in the journal, {count} were sent")
        return updates, cpu


def _start_rollcall(stage: Stage, base_url: str) -> Config:
    path = stage.folder / "config.toml"
    path.write_text(_SETTINGS.format(base_url=base_url))
    config = load(path, {})
    for name in ("redis", "ingest"):
        stage.start(name, "-P", "-m", "engine.cli", name, "--config", path)
    stage.start("engine", HERE / "timed_engine.py", path, stage.folder / "commits.json")
    stage.wait("ready", lambda: _ready(config))
    return config


def _ready(config: Config) -> bool:
    try:
        return bool(EngineClient(config.api_socket).get("/readyz")["ready"])
    except Failure:
        return False


def _settled(journal: RedisJournal, entries: int) -> bool:
    """Say whether so many entries are there, and nothing comes any more but a heartbeat each second."""
    length = journal.length()
    time.sleep(SETTLE_S)
    return entries <= length and journal.length() <= length + 1


def _committed(config: Config, cursor: str) -> bool:
    with closing(open_readonly(config.database)) as ledger:
        (reached,) = driver(ledger).execute('SELECT cursor FROM "partition"').fetchone()
    return _place(reached) >= _place(cursor)


def _updates(journal: RedisJournal, commits: list[tuple[str, int]]) -> list[Update]:
    """Find for each update the first commit that reaches it."""
    cursors = [_place(cursor) for cursor, _ in commits]
    updates, after = [], START
    while records := journal.read(after, 5_000, 0):
        after = records[-1].journal_id
        for record in records:
            if record.entry is not None and isinstance(record.entry.input, VoiceStateChanged):
                place = _place(record.journal_id)
                committed_ns = commits[bisect_left(cursors, place)][1]
                updates.append(Update(record.entry.input.at, place[0], committed_ns / 1e6))
    return updates


def _place(journal_id: str) -> tuple[int, int]:
    milliseconds, _, number = journal_id.partition("-")
    return int(milliseconds), int(number)


def _cpu_us(before: dict[str, float], after: dict[str, float], count: int) -> dict[str, float]:
    return {f"{name}_cpu_us": (after[name] - before[name]) / count * 1e6 for name in before}


def capacity(count: int, repeats: int) -> dict[str, object]:
    """Run both in turns, as fast as they take it, and return the medians."""
    alone, whole = [], []
    for _ in range(repeats):
        alone.append(pycord_alone(count))
        updates, cpu = whole_path(count)
        seconds = (max(it.committed_at for it in updates) - updates[0].received_at) / 1000
        whole.append({"updates_per_s": count / seconds} | cpu)
    return {"updates": count, "pycord_alone": _medians(alone), "whole_path": _medians(whole)}


def _medians(runs: list[dict[str, float]]) -> dict[str, object]:
    medians = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    return medians | {"runs": [run["updates_per_s"] for run in runs]}


def lateness(seconds: float) -> dict[str, float]:
    """Offer updates at a steady rate, and return how long after its receipt each was durable."""
    updates, cpu = whole_path(round(OFFERED_PER_S * seconds), OFFERED_PER_S)
    spent_ms = sorted(it.committed_at - it.received_at for it in updates)
    to_journal = sorted(it.journaled_at - it.received_at for it in updates)
    took_s = (updates[-1].received_at - updates[0].received_at) / 1000
    return {
        "updates": len(updates),
        "offered_per_s": len(updates) / took_s,
        "p50_ms": _share(spent_ms, 0.5),
        "p99_ms": _share(spent_ms, 0.99),
        "p999_ms": _share(spent_ms, 0.999),
        "max_ms": spent_ms[-1],
        "journal_p50_ms": _share(to_journal, 0.5),
        "journal_p99_ms": _share(to_journal, 0.99),
        "late_share": sum(it > LATE_MS for it in spent_ms) / len(spent_ms),
    } | cpu


def _share(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


if __name__ == "__main__":
    burst, repeats, offered_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    print(json.dumps({"capacity": capacity(burst, repeats), "lateness": lateness(offered_s)}))
