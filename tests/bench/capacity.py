"""(a) journal-to-commit capacity and CPU per update, (d) memory per open session; one process per size.

The engine's actors on a real embedded server and a real SQLite file. All sessions are opened first, through
the journal; then the updates are appended while reading is held back, and the clock runs from the moment
reading begins until the last entry is committed.
"""

import json
import sys
import threading
import time
from pathlib import Path
from subprocess import Popen
from tempfile import TemporaryDirectory

import psutil
from world import VoiceWorld

from engine.actors.engine import Engine, EngineSettings
from engine.daemon.engine import tune_interpreter
from engine.domain.inputs import Entry, Input
from engine.domain.rules import Rules
from engine.storage.embedded import EmbeddedServer
from engine.storage.journal import RedisJournal, encode, stream_key
from engine.storage.ledger import SqlLedger
from engine.storage.live import RedisLiveState
from engine.storage.outbox import OutboxSender
from engine.storage.protocols import Record, Stores
from engine.storage.redis_client import connect


class GatedJournal(RedisJournal):
    """A journal whose reader can be held back."""

    def __init__(self, url: str) -> None:
        super().__init__(url, 0)
        self.open = threading.Event()
        self.open.set()

    def read(self, after: str, count: int, block_ms: int) -> list[Record]:
        if not self.open.wait(block_ms / 1000):
            return []
        return super().read(after, count, block_ms)


class Bench:
    """One engine on storage of its own."""

    def __init__(self, folder: Path, rules: Rules = Rules()) -> None:  # noqa: B008 - frozen
        server = EmbeddedServer(folder, folder / "r.sock")
        server.prepare()
        self.server = Popen(server.command(), cwd=folder)
        server.wait_ready(10)
        self.client = connect(server.url, timeout_s=60)
        self.journal = GatedJournal(server.url)
        self.ledger_path = folder / "bench.db"
        self.ledger = SqlLedger(self.ledger_path, 0)
        stores = Stores(self.journal, self.ledger, RedisLiveState(server.url, 0), OutboxSender(server.url))
        self.engine = Engine(EngineSettings(), [stores], rules)
        self._seq = 0

    def append(self, inputs: list[Input]) -> None:
        pipeline = self.client.pipeline(transaction=False)
        for it in inputs:
            self._seq += 1
            pipeline.execute_command("XADD", stream_key(0), "*", "e", encode(Entry("bench", self._seq, it)))
        pipeline.execute()

    def append_all(self, inputs: object, chunk: int = 5_000) -> int:
        count, waiting = 0, []
        for it in inputs:
            waiting.append(it)
            count += 1
            if len(waiting) == chunk:
                self.append(waiting)
                waiting = []
        self.append(waiting)
        return count

    def wait_committed(self) -> None:
        last = self.journal.last_id()
        while self.engine.inside[0].committer.cursor != last:
            if self.engine.failed.is_set():
                raise SystemExit(self.engine.reason)
            time.sleep(0.005)

    def close(self) -> None:
        self.engine.stop()
        self.server.terminate()
        self.server.wait(30)


def measure(open_sessions: int, updates: int) -> dict[str, float]:
    with TemporaryDirectory(prefix="rollcall-bench-") as folder:
        bench = Bench(Path(folder))
        process, server = psutil.Process(), psutil.Process(bench.server.pid)
        bench.engine.start()
        world = VoiceWorld(open_sessions)
        snapshots = list(world.snapshots())
        bench.append(snapshots[:1])
        bench.wait_committed()
        before, redis_before = process.memory_info().rss, bench.client.info("memory")["used_memory"]
        journal_before = bench.client.memory_usage(stream_key(0)) or 0
        loaded = time.perf_counter()
        bench.append_all(snapshots[1:], 200)
        del snapshots
        bench.wait_committed()
        loaded = time.perf_counter() - loaded
        grown = process.memory_info().rss - before
        redis_grown = bench.client.info("memory")["used_memory"] - redis_before
        redis_grown -= (bench.client.memory_usage(stream_key(0), samples=0) or 0) - journal_before
        bench.journal.open.clear()
        count = bench.append_all(world.updates(updates))
        cpu, redis_cpu = process.cpu_times(), server.cpu_times()
        started = time.perf_counter()
        bench.journal.open.set()
        bench.wait_committed()
        wall_s = time.perf_counter() - started
        cpu2, redis_cpu2 = process.cpu_times(), server.cpu_times()
        bench.close()
        used = cpu2.user + cpu2.system - cpu.user - cpu.system
        redis_used = redis_cpu2.user + redis_cpu2.system - redis_cpu.user - redis_cpu.system
        return {
            "open_sessions": open_sessions,
            "updates": count,
            "updates_per_s": count / wall_s,
            "cpu_us": used / count * 1e6,
            "redis_cpu_us": redis_used / count * 1e6,
            "load_s": loaded,
            "engine_bytes_per_session": grown / open_sessions,
            "redis_bytes_per_session": redis_grown / open_sessions,
        }


if __name__ == "__main__":
    tune_interpreter()
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
