"""(g) how long an engine that was killed takes to work again, with many open sessions in the ledger.

The sessions are opened by an engine in this process. Then real ``rollcall engine`` processes are killed (-9)
in the middle of updates, and started again: the clock runs from the start of the process.
"""

import json
import os
import signal
import statistics
import sys
import time
from contextlib import closing
from pathlib import Path

from capacity import Bench
from stage import Stage
from world import VoiceWorld

from engine.cli.client import EngineClient
from engine.cli.failure import Failure
from engine.config import Config, load
from engine.daemon.engine import tune_interpreter
from engine.storage.database import driver, open_readonly

KILLS = 3
UPDATES = 5_000  # that wait in the journal at each start
WAIT_S = 240.0
_SETTINGS = """
[discord]
gateway = "discord"
[storage]
redis = "{redis}"
database = "{database}"
[api]
port = 0
[log]
level = "warning"
"""


def measure(open_sessions: int) -> dict[str, float]:
    with Stage() as stage:
        bench = Bench(stage.folder)
        world = VoiceWorld(open_sessions)
        bench.engine.start()
        bench.append_all(world.snapshots(), 200)
        bench.wait_committed()
        bench.engine.stop()
        bench.ledger.close()
        config = _config(stage.folder, bench)
        runs = [_start(stage, bench, world, config) for _ in range(KILLS + 1)][1:]
        bench.server.terminate()
        bench.server.wait(60)
        sizes = {"ledger_mb": config.database.stat().st_size / 2**20}
    return (
        {"open_sessions": open_sessions}
        | sizes
        | {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    )


def _config(folder: Path, bench: Bench) -> Config:
    path = folder / "config.toml"
    path.write_text(_SETTINGS.format(redis=f"unix://{folder / 'r.sock'}", database=bench.ledger_path))
    return load(path, {})


def _start(stage: Stage, bench: Bench, world: VoiceWorld, config: Config) -> dict[str, float]:
    """Start an engine before a full journal, wait until it has caught up, and kill it."""
    bench.append_all(world.updates(UPDATES))
    last, client = bench.journal.last_id(), EngineClient(config.api_socket)
    started = time.perf_counter()
    stage.start("engine", "-P", "-m", "engine.cli", "engine", "--config", config.source)
    found = {}
    looks = {
        "committed_s": lambda: _place(_cursor(config)) >= _place(last),
        "answers_s": lambda: _live(client) is not None,
        "mirrored_s": lambda: _live(client) is False,
    }
    for what, look in looks.items():
        stage.wait(what, look, WAIT_S)
        found[what] = time.perf_counter() - started
    bench.append_all(world.updates(UPDATES))
    os.kill(stage.pid("engine"), signal.SIGKILL)
    stage.forget("engine")
    return found


def _live(client: EngineClient) -> bool | None:
    """Say whether the mirror is stale; None while nobody answers."""
    try:
        return bool(client.get("/debug/live")["stale"])
    except Failure:
        return None


def _cursor(config: Config) -> str:
    with closing(open_readonly(config.database)) as ledger:
        (reached,) = driver(ledger).execute('SELECT cursor FROM "partition"').fetchone()
    return str(reached)


def _place(journal_id: str) -> tuple[int, int]:
    milliseconds, _, number = journal_id.partition("-")
    return int(milliseconds), int(number)


if __name__ == "__main__":
    tune_interpreter()
    print(json.dumps(measure(int(sys.argv[1]))))
