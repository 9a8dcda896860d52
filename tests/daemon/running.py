"""Real processes for the tests: the daemon, its parts alone, and a simulator that outlives them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
import psutil

from engine.cli.client import EngineClient
from engine.cli.failure import Failure
from engine.config import load
from engine.processes.control import ControlError, ask
from tests.waiting import until

ROLLCALL = str(Path(sys.executable).with_name("rollcall"))
DEADLINE_S = 30.0
TOKEN = "a-token-for-tests"
_SECRETS = ("DISCORD_TOKEN", "ROLLCALL_TOKEN", "REDIS_PASSWORD", "ROLLCALL_WEBHOOK_SECRET")


def toml(tables: dict[str, dict[str, Any]]) -> str:
    """Write tables of plain values, or of lists or tables of them; those of JSON are TOML's too."""
    lines = []
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{key} = {_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if not isinstance(value, dict):
        return json.dumps(value)
    return "{ " + ", ".join(f"{json.dumps(key)} = {json.dumps(it)}" for key, it in value.items()) + " }"


class Program:
    """One process of ours, and its output in a file. ``end`` ends it, whatever became of it."""

    def __init__(self, command: list[str], folder: Path, name: str, environ: dict[str, str] | None = None):
        self.log = folder / f"{name}.log"
        inherited = {key: value for key, value in os.environ.items() if key not in _SECRETS}
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                command, cwd=folder, stdout=output, stderr=output, env=inherited | (environ or {})
            )
        self.pid = self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def stop(self, timeout_s: float = 10.0) -> int:
        self._process.terminate()
        return self._process.wait(timeout_s)

    def wait(self, timeout_s: float = DEADLINE_S) -> int:
        return self._process.wait(timeout_s)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        if self._process.poll() is None:
            self.kill()


class Simulator(Program):
    """A Discord in a process of its own: it survives whatever happens to the daemon."""

    script: tuple[str, ...] = ("-P", "-m", "bot_adapter.simulator")

    def __init__(self, folder: Path, **habits: Any):
        self._address = folder / "simulator.url"
        options = [f"--{key.replace('_', '-')}={value}" for key, value in habits.items()]
        command = [sys.executable, *self.script, f"--address-file={self._address}"]
        super().__init__([*command, *options], folder, "simulator")
        until(self._address.exists, "the simulator's address")
        self.url = self._address.read_text().strip()

    def truth(self) -> dict[str, Any]:
        return _get(f"{self.url}/sim/truth")

    def world(self) -> list[dict[str, Any]]:
        return _get(f"{self.url}/sim/world")

    def messages(self) -> list[dict[str, Any]]:
        return _get(f"{self.url}/sim/messages")

    def connected(self) -> bool:
        return any(it["connected"] for it in _get(f"{self.url}/sim/sessions"))

    def act(self, name: str, /, **arguments: Any) -> Any:
        return self._post(f"world/{name}", arguments)

    def fault(self, name: str, /, **arguments: Any) -> Any:
        return self._post(f"faults/{name}", arguments)

    def _post(self, path: str, arguments: dict[str, Any]) -> Any:
        answer = httpx.post(f"{self.url}/sim/{path}", json=arguments, trust_env=False)
        answer.raise_for_status()
        return answer.json()


def _get(url: str) -> Any:
    answer = httpx.get(url, trust_env=False)
    answer.raise_for_status()
    return answer.json()


class Installation:
    """A folder with a ``config.toml``, and the commands run in it."""

    def __init__(self, tables: dict[str, dict[str, Any]], environ: dict[str, str] | None = None):
        self.folder = Path(tempfile.mkdtemp(prefix="rc-"))
        self.environ = environ or {}
        self.tables = {"api": {"port": 0}} | tables
        self.configure()

    def configure(self, **tables: dict[str, Any]) -> None:
        """Change tables of the configuration; it is read at the next start."""
        for name, table in tables.items():
            self.tables[name] = self.tables.get(name, {}) | table
        path = self.folder / "config.toml"
        path.write_text(toml(self.tables))
        self.config = load(path, self.environ)
        self.client = EngineClient(self.config.api_socket)

    def start(self, command: str) -> Program:
        return Program([ROLLCALL, command], self.folder, command, self.environ)

    def rollcall(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        inherited = {key: value for key, value in os.environ.items() if key not in _SECRETS}
        return subprocess.run(
            [ROLLCALL, *arguments],
            cwd=self.folder,
            env=inherited | self.environ,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    def asked(self, *arguments: str) -> Any:
        """Run a reading command and return the JSON it prints."""
        done = self.rollcall(*arguments, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    def ready(self) -> bool:
        """Say whether the engine is connected and caught up."""
        try:
            self.client.get("/readyz")
        except Failure:
            return False
        return True

    def metrics(self) -> dict[str, float]:
        """Return the engine's numbers without labels, by name."""
        transport = httpx.HTTPTransport(uds=str(self.config.api_socket))
        with httpx.Client(transport=transport, base_url="http://rollcall", trust_env=False) as client:
            lines = client.get("/metrics").raise_for_status().text.splitlines()
        return {name: float(value) for name, _, value in (it.partition(" ") for it in lines) if name != "#"}

    def remove(self) -> None:
        shutil.rmtree(self.folder)


class Daemon(Installation):
    """``rollcall run``, with all its processes."""

    program: Program

    def __init__(self, tables: dict[str, dict[str, Any]], environ: dict[str, str] | None = None):
        super().__init__(tables, {"ROLLCALL_TOKEN": TOKEN} | (environ or {}))
        self._seen: dict[int, psutil.Process] = {}

    def run(self) -> "Daemon":
        """Start, and return once it is ready."""
        self.program = self.start("run")
        until(self.ready_or_over, "a ready daemon")
        assert self.program.exit_code is None, self.program.text()
        self.children()
        return self

    def ready_or_over(self) -> bool:
        return self.program.exit_code is not None or self.ready()

    def children(self) -> dict[str, dict[str, Any]]:
        """Return the processes by name, as the parent describes them; none while it does not answer."""
        try:
            found = ask(self.config.control_socket, {"do": "processes"})
        except (ConnectionError, ControlError):
            return {}
        for it in found:
            if it["pid"] is not None and it["pid"] not in self._seen:
                self._see(it["pid"])
        return {it["name"]: it for it in found}

    def pid(self, name: str) -> int:
        """Return the pid of a child's process, once there is one."""
        return until(lambda: self.children().get(name, {}).get("pid"), f"a process of {name}")

    def kill_child(self, name: str) -> int:
        """``kill -9`` a child; return its pid."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def back(self, name: str, killed: int) -> int:
        """Wait until the parent has started a child anew; return its pid."""
        return until(lambda: (pid := self.pid(name)) != killed and pid, f"a new process of {name}")

    def truth(self) -> dict[str, Any]:
        """Ask the demo's simulator what really happened."""
        return _get(f"{self.config.simulator_address.read_text().strip()}/sim/truth")

    def running(self, name: str) -> bool:
        return self.children().get(name, {}).get("state") == "running"

    def kill(self) -> None:
        """``kill -9`` the parent alone."""
        self.children()
        self.program.kill()

    def orphans(self) -> list[psutil.Process]:
        """Return the children seen so far that still run."""
        return [it for it in self._seen.values() if it.is_running() and it.status() != psutil.STATUS_ZOMBIE]

    def end(self) -> None:
        """End what still runs, and show the log to who looks for what went wrong."""
        if hasattr(self, "program"):
            self.program.end()
            print(self.program.text()[-6000:])
        for orphan in self.orphans():
            orphan.kill()
        self.remove()

    def _see(self, pid: int) -> None:
        try:
            self._seen[pid] = psutil.Process(pid)
        except psutil.NoSuchProcess:
            return
