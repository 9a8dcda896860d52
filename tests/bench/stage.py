"""The processes that a measurement needs, in a folder of their own: none outlives it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import psutil

from engine.processes.lifeline import Lifeline

HERE = Path(__file__).parent
TOKEN = "simulator"
STOP_S = 15.0
BURST_S = 120.0

T = TypeVar("T")


class Stage:
    """Starts processes by name. At the exit, those still there end in reverse order, and the folder goes."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rollcall-bench-"))
        self._lifeline = Lifeline()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in reversed(self._running.copy()):
            self.stop(name)
        self._lifeline.__exit__(kind, error, trace)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name: str, *arguments: str | Path) -> None:
        """Start Python with ``arguments``; what it says goes to a file."""
        environment = os.environ | self._lifeline.environment | {"DISCORD_TOKEN": TOKEN}
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[self._lifeline.child_fd],
            )

    def stop(self, name: str) -> None:
        """End a process in order, or by force after a while."""
        process = self._running.pop(name)
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def pid(self, name: str) -> int:
        """Return a process's id."""
        return self._running[name].pid

    def forget(self, name: str) -> None:
        """Take leave of a process that was killed."""
        self._running.pop(name).wait()

    def wait(self, what: str, look: Callable[[], T], timeout_s: float = 30.0) -> T:
        """Return what ``look`` says once it is true. Ends the bench if it never is, or a process ends."""
        deadline = time.monotonic() + timeout_s
        while not (found := look()):
            ended = [name for name, process in self._running.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise SystemExit(f"{what}: {f'{ended[0]} ended' if ended else 'not in time'}\n{self._logs()}")
            time.sleep(0.02)
        return found

    def wait_file(self, name: str, timeout_s: float = 30.0) -> str:
        """Return what a process wrote into a file of the folder."""
        path = self.folder / name
        return self.wait(name, lambda: path.exists() and path.read_text(), timeout_s)

    def cpu_s(self) -> dict[str, float]:
        """Return the CPU seconds that each process has used."""
        times = {name: psutil.Process(it.pid).cpu_times() for name, it in self._running.items()}
        return {name: it.user + it.system for name, it in times.items()}

    def _logs(self) -> str:
        return "\n".join(
            f"--- {path.name}\n{path.read_text()[-2000:]}" for path in sorted(self.folder.glob("*.log"))
        )


class Simulator:
    """The simulated Discord on a stage: one, for one client."""

    def __init__(self, stage: Stage, guilds: int) -> None:
        stage.start("simulator", HERE / "simulated_discord.py", stage.folder / "simulator.url", str(guilds))
        self.base_url = stage.wait_file("simulator.url")

    def burst(self, count: int, *, guilds: int, users: int, rate: float = 0.0) -> dict[str, float]:
        """Have ``count`` updates sent to the client, and return when the last is written."""
        wanted = {"count": count, "rate": rate, "members_per_guild": users // guilds}
        request = urllib.request.Request(
            f"{self.base_url}/sim/burst",
            json.dumps(wanted).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=BURST_S) as answer:
            done: dict[str, Any] = json.load(answer)
        if (done["frames"], done["clients"]) != (count, 1):
            raise SystemExit(f"the simulator sent {done} instead of {count} frames to one client")
        return done


def write_whole(path: Path, text: str) -> None:
    """Write a file so that who waits for it sees all of it or none."""
    draft = path.with_name(path.name + ".new")
    draft.write_text(text)
    draft.replace(path)
