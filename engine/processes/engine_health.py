"""How the parent asks the engine whether it makes progress: HTTP over its Unix socket, on the event loop."""

import asyncio
import json
from pathlib import Path
from typing import Any

from engine.processes.notify import Answer

_ANSWER_WITHIN_S = 2.0


async def ask_engine(socket: Path) -> Answer:
    """Ask ``/healthz``, and ``/readyz`` for what there is to tell. Never raises for want of an answer."""
    health = await _get(socket, "/healthz")
    if health is None:
        return Answer(alive=False, status="the engine does not answer")
    status, told = health
    if status != 200:
        return Answer(alive=False, status=f"the engine is stuck: {_reasons(told)}")
    ready = await _get(socket, "/readyz")
    if ready is None or ready[0] == 200:
        return Answer(alive=True, status="tracking")
    return Answer(alive=True, status=f"not ready: {_reasons(ready[1])}")


def _reasons(told: Any) -> str:
    match told:
        case {"reasons": list(reasons)} if reasons:
            return "; ".join(map(str, reasons))
    return "it does not say why"


async def _get(socket: Path, path: str) -> tuple[int, Any] | None:
    """Return the status and the decoded body of an answer; None where none comes in time."""
    request = f"GET {path} HTTP/1.1\r\nHost: rollcall\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                writer.write(request.encode())
                head, _, body = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
        return int(head.split(maxsplit=2)[1]), json.loads(body)
    except (OSError, ValueError, IndexError, TimeoutError):
        return None
