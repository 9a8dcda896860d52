"""Sessions from the running engine, or from the ledger's file where none runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from engine.cli.client import EngineClient, NoEngine
from engine.cli.failure import Failure
from engine.cli.moments import iso
from engine.config import Config

# A session as the API gives it (DESIGN.md, "Contracts").
Row: TypeAlias = dict[str, Any]
_PAGE = 1000  # the most that the API gives at once


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sessions. All that is given must hold."""

    guild: str | None = None
    user: str | None = None
    channel: str | None = None
    event: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    status: str | None = None
    spans: bool = False


class Source(Protocol):
    """Yields the sessions wanted, the latest join first; ``page``: how many to fetch at once."""

    def __call__(self, wanted: Wanted, page: int = _PAGE) -> Iterator[Row]:
        """Start reading."""
        ...


@contextmanager
def source(config: Config) -> Iterator[Source]:
    """Open the engine, or the ledger where no engine answers. Raises ``Failure`` where there is neither."""
    with EngineClient(config.api_socket) as client:
        try:
            client.get("/healthz")
        except NoEngine as error:
            if not config.database.exists():
                raise Failure(f"{error}; and there is no ledger at {config.database}") from error
        else:
            yield _from_engine(client)
            return
    yield _from_ledger(config)


def unknown(read: Source, wanted: Wanted) -> str | None:
    """Say which id of ``wanted`` no session has at all, or None."""
    nothing = Wanted()
    for kind in ("guild", "user", "channel", "event"):
        value = getattr(wanted, kind)
        if value and next(read(replace(nothing, **{kind: value}), page=1), None) is None:
            return f"no session of {kind} {value} in the ledger"
    return None


def _from_engine(client: EngineClient) -> Source:
    def read(wanted: Wanted, page: int = _PAGE) -> Iterator[Row]:
        return client.pages(
            "/sessions",
            guildId=wanted.guild,
            userId=wanted.user,
            channelId=wanted.channel,
            eventId=wanted.event,
            status=wanted.status,
            spans=wanted.spans or None,
            limit=page,
            **{
                name: iso(moment) for name, moment in (("from", wanted.since), ("to", wanted.until)) if moment
            },
        )

    return read
