"""Which children the daemon has, in start order, and how each shows that it works."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from engine.config import Config
from engine.processes.child import ChildSpec

_ANSWER_WITHIN_S = 2.0
# A process that shows no life for so long is replaced. The engine and the server lose nothing by it, and what
# waits for them waits on; a stop or a stall of a few seconds is none of our business. The ingest loses its
# gateway session, so it has until Discord has surely given that up: two of its heartbeats, 41.25 s each.
_HANGS_S = 20.0
_INGEST_HANGS_S = 90.0


def child_specs(config: Config) -> list[ChildSpec]:
    """Return the children that ``config`` asks for. Together they stop within ten seconds."""
    return list(_specs(config))


def _specs(config: Config) -> Iterator[ChildSpec]:
    if config.embedded_redis:
        ready = partial(answers, config.redis_socket, b"PING\r\n", b"+PONG")
        # A large journal takes a while to load.
        yield ChildSpec(
            "redis",
            partial(_role, config, "redis"),
            ready,
            awaited=True,
            ready_s=300,
            stop_s=1.5,
            alive=ready,
            silent_s=_HANGS_S,
        )
    if config.demo:
        ready = partial(_listens, config.simulator_address)
        yield ChildSpec("simulator", partial(_role, config, "simulator"), ready, awaited=True, stop_s=0.5)
    yield ChildSpec(
        "engine", partial(_role, config, "engine"), _engine_answers(config), stop_s=4.5, silent_s=_HANGS_S
    )
    yield ChildSpec(
        "ingest", partial(_role, config, "ingest"), stop_s=3.0, steady_s=10.0, silent_s=_INGEST_HANGS_S
    )


def _role(config: Config, name: str) -> list[str]:
    """Return the command of a Python child. ``-P``: a folder named engine in the current one is not ours."""
    chosen = ["--config", str(config.source)] if config.source else []
    return [sys.executable, "-P", "-m", "engine.cli", name, *chosen]


def _engine_answers(config: Config) -> Callable[[], Awaitable[bool]]:
    request = b"GET /healthz HTTP/1.1\r\nHost: rollcall\r\nConnection: close\r\n\r\n"
    return partial(answers, config.api_socket, request, b"HTTP/1.1 200")


async def answers(socket: Path, request: bytes, expected: bytes) -> bool:
    """Say whether what listens at ``socket`` answers ``request`` with ``expected`` and perhaps more."""
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                writer.write(request)
                return await reader.readexactly(len(expected)) == expected
            finally:
                writer.close()
    except (OSError, EOFError, TimeoutError):
        return False


async def _listens(address_file: Path) -> bool:
    """Say whether something listens at the URL in this file; it may be a former life's."""
    try:
        url = urlsplit(address_file.read_text().strip())  # noqa: ASYNC240  # one short line
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            _, writer = await asyncio.open_connection(url.hostname, url.port)
    except (OSError, ValueError, TimeoutError):
        return False
    writer.close()
    return True
