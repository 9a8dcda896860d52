"""The running engine as a command sees it: HTTP over its Unix socket.

The standard library's client does: a command starts in half the time that httpx takes to import.
"""

import http.client
import json
import socket
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import urlencode

from engine.cli.failure import Failure

_ANSWER_WITHIN_S = 30.0

Method: TypeAlias = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class NoEngine(Failure):
    """Nothing answers at the engine's socket."""


class Refusal(Failure):
    """The engine says no. ``field``: the one at fault, as HTTP names it, where it is one."""

    def __init__(self, status: int, line: str, field: str | None = None) -> None:
        super().__init__(line, 2 if status == HTTPStatus.UNPROCESSABLE_ENTITY else 1)
        self.status, self.field = status, field


class EngineClient:
    """Asks the engine at ``socket_path``, a connection each time.

    Every method raises ``NoEngine`` where nothing answers, ``Refusal`` where the engine refuses.
    """

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path

    def get(self, path: str, **parameters: Any) -> Any:
        """Return the decoded answer. Parameters that are None are left out."""
        given = {name: _text(value) for name, value in parameters.items() if value is not None}
        return self.send("GET", f"{path}?{urlencode(given)}" if given else path)

    def send(self, method: Method, target: str, body: Any = None) -> Any:
        """Send a request, with a JSON body where one is given, and return the decoded answer."""
        try:
            status, answer = self._exchange(method, target, body)
        except (OSError, http.client.HTTPException) as error:
            where = f"no engine answers at {self._socket_path}: is `rollcall run` running?"
            raise NoEngine(f"{where} ({_reason(error)})") from error
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return json.loads(answer) if answer else None
        raise _refusal(status, answer)

    def pages(self, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield the items of a list, page after page."""
        cursor = None
        while True:
            page = self.get(path, **parameters, cursor=cursor)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def _exchange(self, method: Method, target: str, body: Any) -> tuple[int, bytes]:
        connection = _UnixConnection(self._socket_path)
        encoded = None if body is None else json.dumps(body).encode()
        try:
            headers = {} if encoded is None else {"Content-Type": "application/json"}
            connection.request(method, target, encoded, headers)
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


def _refusal(status: int, body: bytes) -> Refusal:
    try:
        told = json.loads(body)["error"]
        return Refusal(status, str(told["message"]), told.get("field"))
    except (ValueError, KeyError, TypeError):
        return Refusal(status, f"the engine answered with status {status}")
