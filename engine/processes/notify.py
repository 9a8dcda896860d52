"""What the service manager is told: systemd's sd_notify(3), datagrams of ``KEY=value`` lines to its socket.

Twenty lines of our own: the protocol is stable, and the package ``sdnotify`` has not changed since 2017.
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import structlog

from engine.processes.child import State
from engine.processes.supervisor import Supervisor, Verdict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_log = structlog.get_logger(__name__)
_LOOK_EVERY_S = 1.0
# An engine that is being started cannot answer yet: that is told as progress for so long.
START_WITHIN_S = 300.0
_STATUS_MAX = 200  # characters


class Answer(NamedTuple):
    """What the engine says of itself: whether it makes progress, and how it is in one line."""

    alive: bool
    status: str


class Notifier:
    """Sends to ``NOTIFY_SOCKET``, and nothing where there is none. Children do not inherit the variables."""

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        address = environ.pop("NOTIFY_SOCKET", "")
        period_us, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        # An abstract name is written with an @ where it has a NUL.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.wanted = bool(address)
        meant = pid in ("", str(os.getpid())) and period_us.isascii() and period_us.isdigit()
        self.watchdog_s = int(period_us) / 1e6 if meant else 0.0

    def send(self, *lines: str) -> None:
        """Send these lines together. A service manager that does not listen does not stop us."""
        if not self.wanted:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(lines).encode(), self._address)
        except (OSError, ValueError) as error:  # ValueError: an address that cannot be one
            _log.debug("not_notified", reason=str(error))


class ServiceManager:
    """Keeps the service manager informed of one life of the daemon.

    ``READY=1`` once every child works; ``WATCHDOG=1`` twice in each period, while ``ask`` says that the
    engine makes progress; ``STATUS=`` whenever that changes; ``STOPPING=1`` with the reason at the end.
    """

    def __init__(
        self,
        notifier: Notifier,
        supervisor: Supervisor,
        ask: Callable[[], Awaitable[Answer]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notifier, self._supervisor, self._ask, self._clock = notifier, supervisor, ask, clock
        self._ready = False
        self._status = ""
        self._alive_at = clock()
        half = notifier.watchdog_s / 2
        self._every_s = min(_LOOK_EVERY_S, half) if half else _LOOK_EVERY_S

    async def tell(self) -> None:
        """Look and tell, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """Tell what is to be told now."""
        states = {it["name"]: it["state"] for it in self._supervisor.describe()}
        answer = await self._ask()
        lines = []
        if not self._ready and answer.alive and set(states.values()) == {State.RUNNING}:
            self._ready = True
            lines.append("READY=1")
        if (status := _status(states, answer)) != self._status:
            self._status = status
            lines.append(f"STATUS={status}")
        if self._notifier.watchdog_s and self._progress(states, answer):
            lines.append("WATCHDOG=1")
        if lines:
            self._notifier.send(*lines)

    def end(self, verdict: Verdict) -> None:
        """Tell that the daemon stops, and why if not by order."""
        self._notifier.send("STOPPING=1", f"STATUS={_line(verdict.reason or 'stopping')}")

    def _progress(self, states: dict[str, str], answer: Answer) -> bool:
        """Say whether the daemon is worth keeping. A restart of the engine is its parent's business."""
        if answer.alive:
            self._alive_at = self._clock()
            return True
        starting = states.get("engine") in (State.STARTING, State.WAITING)
        return starting and self._clock() - self._alive_at < START_WITHIN_S


def _status(states: dict[str, str], answer: Answer) -> str:
    others = [f"{name} {state}" for name, state in states.items() if state != State.RUNNING]
    return ", ".join(others) if others else _line(answer.status)


def _line(text: str) -> str:
    return " ".join(text.split())[:_STATUS_MAX]


@asynccontextmanager
async def informed(supervisor: Supervisor, ask: Callable[[], Awaitable[Answer]]) -> "AsyncIterator[None]":
    """Keep the service manager informed while the block runs, where there is one."""
    notifier = Notifier()
    if not notifier.wanted:
        yield
        return
    manager = ServiceManager(notifier, supervisor, ask)
    supervisor.when_over(manager.end)
    telling = asyncio.create_task(manager.tell())
    supervisor.when_over(lambda _: telling.cancel())
    try:
        yield
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling
