"""Server and community together, until somebody says stop: what `rollcall run` starts without a token."""

import asyncio
import contextlib
import signal
import socket
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import structlog

from bot_adapter.simulator.community import Community, Habits
from bot_adapter.simulator.server import SimulatorServer
from bot_adapter.simulator.world import World

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Demo:
    """``port`` 0 takes the one of the last life, or any that is free.

    ``address_file`` receives the base URL once the server listens. It stays: the next life listens there
    again, so that whoever was connected to this one comes back by itself.
    """

    habits: Habits = field(default_factory=Habits)
    host: str = "127.0.0.1"
    port: int = 0
    address_file: Path | None = None


def main(demo: Demo | None = None) -> int:
    """Run until SIGTERM or SIGINT; return the process's exit code."""
    try:
        asyncio.run(_run(demo or Demo()))
    except OSError as error:
        log.error("simulator_failed", reason=str(error), hint="choose another simulator.port")  # noqa: TRY400 - one line, no traceback
        return 1
    return 0


def former_port(host: str, address_file: Path | None) -> int:
    """Return the port that an earlier life listened at if it is free now, else 0."""
    if address_file is None:
        return 0
    try:
        port = urlsplit(address_file.read_text(encoding="utf-8").strip()).port or 0
        socket.create_server((host, port)).close()
    except (OSError, ValueError):
        return 0
    return port


async def _run(demo: Demo) -> None:
    stopped = _stop_on_signals()
    world = World(demo.habits.seed)
    community = Community(world, demo.habits)
    server = SimulatorServer(world, demo.host, demo.port or former_port(demo.host, demo.address_file))
    await server.start()
    try:
        _publish(demo.address_file, server.base_url)
        await _live(community, stopped)
    finally:
        await server.stop()
        log.info("simulator_stopped", actions=community.actions)


async def _live(community: Community, stopped: asyncio.Event) -> None:
    """Let the community act until the stop. Should it fail, the process must not look alive."""
    life = asyncio.create_task(community.run())
    stop = asyncio.create_task(stopped.wait())
    await asyncio.wait({life, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    life.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await life


def _stop_on_signals() -> asyncio.Event:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stopped.set)
    return stopped


def _publish(path: Path | None, base_url: str) -> None:
    """Write the address so that a reader sees all of it or none."""
    if path is not None:
        draft = path.with_name(path.name + ".new")
        draft.write_text(base_url + "\n", encoding="utf-8")
        draft.replace(path)
