"""The running engine as a command sees it: HTTP over its Unix socket.

The standard library's client does: a command starts in half the time that httpx takes to import.
"""

import http.client
import json
import socket
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from engine.cli.failure import Failure

_ANSWER_WITHIN_S = 30.0


class NoEngine(Failure):
    """Nothing answers at the engine's socket."""


class EngineClient:
    """Asks the engine at ``socket_path``, a connection each time."""

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path

    def get(self, path: str, **parameters: Any) -> Any:
        """Return the decoded answer. Parameters that are None are left out.

        Raises ``NoEngine`` where nothing answers, ``Failure`` where the engine refuses.
        """
        given = {name: _text(value) for name, value in parameters.items() if value is not None}
        try:
            status, body = self._exchange(f"{path}?{urlencode(given)}" if given else path)
        except (OSError, http.client.HTTPException) as error:
            where = f"no engine answers at {self._socket_path}: is `rollcall run` running?"
            raise NoEngine(f"{where} ({_reason(error)})") from error
        if status == HTTPStatus.OK:
            return json.loads(body)
        raise Failure(_refusal(status, body), 2 if status == HTTPStatus.UNPROCESSABLE_ENTITY else 1)

    def pages(self, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield the items of a list, page after page."""
        cursor = None
        while True:
            page = self.get(path, **parameters, cursor=cursor)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def _exchange(self, target: str) -> tuple[int, bytes]:
        connection = _UnixConnection(self._socket_path)
        try:
            connection.request("GET", target)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("rollcall", timeout=_ANSWER_WITHIN_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_ANSWER_WITHIN_S)
        self.sock.connect(str(self._path))


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _refusal(status: int, body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the engine answered with status {status}"
