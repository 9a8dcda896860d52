"""What a process tells of itself where others can read it: a JSON document, soon gone if the process dies."""

from typing import Any

import msgspec

from engine.storage.redis_client import away_as_connection_error, connect

PREFIX = "rollcall:status:"
EXPIRY_S = 5


class StatusBoard:
    """Publishes and reads documents. Thread-safe; raises ``ConnectionError`` when Redis is away."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = connect(url, timeout_s=2.0)

    def publish(self, name: str, document: dict[str, Any]) -> None:
        """Replace the document of ``name``. Publish once a second: it is gone five seconds later."""
        with away_as_connection_error(self._url):
            self._client.set(PREFIX + name, msgspec.json.encode(document), ex=EXPIRY_S)

    def read(self, name: str) -> dict[str, Any] | None:
        """Return the document of ``name``, None where nobody published one lately."""
        with away_as_connection_error(self._url):
            text: Any = self._client.get(PREFIX + name)
        try:
            return None if text is None else msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.MsgspecError:
            return None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
