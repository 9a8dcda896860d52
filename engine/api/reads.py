"""What the API asks of the ledger."""

from typing import Any, Protocol, TypeAlias

# A session in the shape of `schemas.Session`, as the ledger's queries return it.
Row: TypeAlias = dict[str, Any]


class InvalidCursor(ValueError):  # noqa: N818 - it names what is wrong
    """The cursor is none that a page ever named."""


class Reads(Protocol):
    """Any thread may call. Each call opens a connection of its own and closes it."""

    def sessions(  # noqa: PLR0913 - one argument for each filter of the contract
        self,
        *,
        guild_id: int | None,
        user_id: int | None,
        channel_id: int | None,
        event_id: int | None,
        since: int | None,
        until: int | None,
        status: str | None,
        spans: bool,
        limit: int,
        cursor: str | None,
    ) -> tuple[list[Row], str | None]:
        """Return one page, the latest join first, and the next page's cursor. Raises ``InvalidCursor``.

        ``since``, ``until``: ms UTC; sessions that overlap ``[since, until)``.
        """
        ...

    def session(self, session_id: str) -> Row | None:
        """Return one session with its spans."""
        ...
