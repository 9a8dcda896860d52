"""One child of the parent: its command, its process, and where that stands."""

import asyncio
import math
import os
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypedDict

import structlog

from engine.processes.budget import RestartBudget
from engine.processes.heartbeat import Heartbeat
from engine.processes.lifeline import Lifeline

_log = structlog.get_logger(__name__)
_PROBE_EVERY_S = 0.05
_LOOK_EVERY_S = 1.0
# What one look may add to a silence: a parent that was stopped itself has missed nothing of its children's.
_LOOK_AT_MOST_S = 4.0


class State(StrEnum):
    """Where a child stands."""

    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"  # failed; will be started again after its delay
    STOPPING = "stopping"
    STOPPED = "stopped"


class Description(TypedDict):
    """A child as ``rollcall debug processes --json`` shows it."""

    name: str
    pid: int | None
    startedAt: str | None
    restarts: int
    state: str


async def at_once() -> bool:
    """Answer for a child that is ready as soon as it runs."""
    return True


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to start.

    ``command`` is called in a thread before each start and may prepare things; what it raises as an
    ``Exception`` ends the daemon with that text. ``ready`` answers whether the process does its work by now.
    ``awaited``: the children after it start only when it is ready. ``stop_s``: how long it may take from
    SIGTERM to its end. ``steady_s``: a process that did its work for so long did not fail at it, so that
    its end, a kill say, is no part of a crash loop and does not count against the budget. ``silent_s``: a
    process that has shown that it gets on, and does not for so long, hangs and is killed. It shows it by its
    heartbeat, or by answering ``alive`` where there is one.
    """

    name: str
    command: Callable[[], list[str]]
    ready: Callable[[], Awaitable[bool]] = at_once
    awaited: bool = False
    ready_s: float = 30.0
    stop_s: float = 3.0
    steady_s: float = 1.0
    alive: Callable[[], Awaitable[bool]] | None = None
    silent_s: float = math.inf


@dataclass(slots=True)
class Child:
    """A child and its current process. ``ready`` is set while that does its work."""

    spec: ChildSpec
    lifeline: Lifeline
    budget: RestartBudget = field(default_factory=RestartBudget)
    state: State = State.STOPPED
    restarts: int = 0
    started_at: datetime | None = None
    restart_ordered: bool = False
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    steady: bool = False
    _process: asyncio.subprocess.Process | None = None
    _ready_at: float = math.inf

    async def run(self) -> int:
        """Start the process and return its exit code once it has ended (negative: the signal's number)."""
        self.state = State.STARTING
        self._ready_at = math.inf
        heartbeat = Heartbeat()
        try:
            process = await self._spawn(heartbeat)
            tasks = [asyncio.create_task(it) for it in (self._probe(), self._watch(heartbeat))]
            try:
                return await process.wait()
            finally:
                for task in tasks:
                    task.cancel()
        finally:
            heartbeat.close()
            self.steady = time.monotonic() - self._ready_at >= self.spec.steady_s
            self.ready.clear()
            self.state = State.STOPPED

    async def stop(self) -> None:
        """End the process: SIGTERM, then SIGKILL when its time is over."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        self.ready.clear()
        self.state = State.STOPPING
        self.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), self.spec.stop_s)
        except TimeoutError:
            _log.warning("child_killed", name=self.spec.name, after_s=self.spec.stop_s)
            self.signal(signal.SIGKILL)
            await process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if there is one."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    def describe(self) -> Description:
        """Return the child's state for people and programs."""
        alive = self._process is not None and self._process.returncode is None
        return {
            "name": self.spec.name,
            "pid": self._process.pid if self._process is not None and alive else None,
            "startedAt": _iso(self.started_at) if self.started_at else None,
            "restarts": self.restarts,
            "state": self.state.value,
        }

    async def _spawn(self, heartbeat: Heartbeat) -> asyncio.subprocess.Process:
        command = await asyncio.to_thread(self.spec.command)
        self._process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            env=os.environ | self.lifeline.environment | heartbeat.environment,
            pass_fds=[self.lifeline.child_fd, heartbeat.child_fd],
            # The terminal's Ctrl-C must reach the parent alone, which then stops the children in order.
            start_new_session=True,
        )
        heartbeat.started()
        self.started_at = datetime.now(UTC)
        _log.info("child_started", name=self.spec.name, pid=self._process.pid)
        return self._process

    async def _probe(self) -> None:
        while not await self.spec.ready():  # noqa: ASYNC110  # another process has no event to wait on
            await asyncio.sleep(_PROBE_EVERY_S)
        self.state = State.RUNNING
        self._ready_at = time.monotonic()
        self.ready.set()

    async def _watch(self, heartbeat: Heartbeat) -> None:
        """Kill a process that hangs; whoever waits for its end starts another."""
        loop, spec = asyncio.get_running_loop(), self.spec
        known, silent_s = False, 0.0
        while silent_s < spec.silent_s:
            looked_at = loop.time()
            await asyncio.sleep(_LOOK_EVERY_S)
            if await spec.alive() if spec.alive else heartbeat.heard():
                known, silent_s = True, 0.0
            elif known:  # until its first sign it may be loading what it needs
                silent_s += min(loop.time() - looked_at, _LOOK_AT_MOST_S)
        _log.error("child_hangs", name=spec.name, silent_s=round(silent_s), then="killed")
        self.signal(signal.SIGKILL)


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ending(exit_code: int) -> str:
    """Say how a process ended: ``exit code 1`` or ``signal SIGKILL``."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return f"signal {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"signal {-exit_code}"
