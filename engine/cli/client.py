"""The running engine as a command sees it: HTTP over its Unix socket."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from engine.cli.failure import Failure

_ANSWER_WITHIN_S = 30.0


class NoEngine(Failure):
    """Nothing answers at the engine's socket."""


class EngineClient:
    """Asks the engine at ``socket``. Raises ``NoEngine`` where it is down, ``Failure`` where it refuses."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        transport = httpx.HTTPTransport(uds=str(socket))
        self._http = httpx.Client(transport=transport, base_url="http://rollcall", timeout=_ANSWER_WITHIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """Return the decoded answer. Parameters that are None are left out."""
        given = {name: value for name, value in parameters.items() if value is not None}
        try:
            response = self._http.get(path, params=given)
        except httpx.TransportError as error:
            raise NoEngine(
                f"no engine answers at {self._socket}: is `rollcall run` running? ({_reason(error)})"
            ) from error
        if response.is_success:
            return response.json()
        raise Failure(
            _refusal(response), 2 if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY else 1
        )

    def pages(self, path: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield the items of a list, page after page."""
        cursor = None
        while True:
            page = self.get(path, **parameters, cursor=cursor)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return


def _reason(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return f"not within {_ANSWER_WITHIN_S:g} s"
    return str(error).removeprefix("[Errno ").partition("] ")[2] or type(error).__name__


def _refusal(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the engine answered with status {response.status_code}"
