"""The parent's control socket: one JSON line in, one JSON line out, then the end of the connection.

Requests: ``{"do": "processes"}`` and ``{"do": "restart", "name": "engine"}``. Replies: ``{"result": ...}`` or
``{"error": "one line"}``. Only the daemon's own user can connect (mode 0600).
"""

import asyncio
import json
import socket
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.processes.supervisor import RestartFailedError, Supervisor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_LINE_MAX = 64 * 1024  # bytes, in and out
_REQUEST_WITHIN_S = 5.0


class ControlError(Exception):
    """The parent did not do what was asked; the text is one line for people."""


@asynccontextmanager
async def serving(path: Path, supervisor: Supervisor) -> "AsyncIterator[None]":
    """Answer on ``path`` while the block runs. What an earlier life left there is replaced."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            reply = await _reply(reader, supervisor)
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
        except (OSError, ValueError, TimeoutError):  # gone, or no line in time: nobody to tell
            return
        finally:
            writer.close()

    server = await asyncio.start_unix_server(answer, sock=_listening(path), limit=_LINE_MAX)
    try:
        yield
    finally:
        server.close()
        _remove(path)


def _listening(path: Path) -> socket.socket:
    _remove(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
    except OSError:
        listener.close()
        raise
    return listener


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


async def _reply(reader: asyncio.StreamReader, supervisor: Supervisor) -> dict[str, Any]:
    line = await asyncio.wait_for(reader.readline(), _REQUEST_WITHIN_S)
    try:
        request = json.loads(line)
    except ValueError:
        return {"error": "the request is not a line of JSON"}
    match request:
        case {"do": "processes"}:
            return {"result": supervisor.describe()}
        case {"do": "restart", "name": str(name)}:
            try:
                return {"result": await supervisor.restart(name)}
            except RestartFailedError as error:
                return {"error": str(error)}
        case _:
            return {"error": "unknown request: there are 'processes' and 'restart' with a name"}


def ask(path: Path, request: dict[str, Any], timeout_s: float = 60.0) -> Any:
    """Send a request to the parent at ``path`` and return its result.

    Raises ``ConnectionError`` where no parent answers, ``ControlError`` with the parent's own line.
    """
    try:
        reply = json.loads(_exchange(path, json.dumps(request).encode() + b"\n", timeout_s))
    except (OSError, ValueError) as error:
        raise ConnectionError(f"no daemon answers at {path}") from error
    if "error" in reply:
        raise ControlError(reply["error"])
    return reply["result"]


def _exchange(path: Path, line: bytes, timeout_s: float) -> bytes:
    reply = bytearray()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout_s)
        connection.connect(str(path))
        with suppress(BrokenPipeError):  # it may have answered before it read all
            connection.sendall(line)
        while chunk := connection.recv(_LINE_MAX):
            reply += chunk
    return bytes(reply)
