"""What the API asks of the ledger; ``storage.queries.SqlReads`` fulfils it."""

from typing import Protocol

from engine.storage.queries import Page, Row, SessionFilter


class Reads(Protocol):
    """Any thread may call; nothing stays open. Raises ``StorageError`` where the ledger cannot be read."""

    def sessions(self, wanted: SessionFilter, *, limit: int, cursor: str | None, spans: bool) -> Page:
        """Return a page of sessions, the latest join first. Raises ``InvalidCursor``."""
        ...

    def session(self, session_id: str) -> Row | None:
        """Return one session with its spans, or None."""
        ...
