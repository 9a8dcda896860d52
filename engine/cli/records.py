"""Sessions from the running engine, or from the ledger's file where none runs."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeAlias

from engine.cli.client import EngineClient, NoEngine
from engine.cli.failure import Failure
from engine.cli.moments import iso
from engine.config import Config
from engine.storage import queries
from engine.storage.database import open_readonly
from engine.storage.protocols import StorageError

# A session as the API gives it (DESIGN.md, "Contracts").
Row: TypeAlias = dict[str, Any]
PAGE_MAX = 1000  # the most that the API gives at once


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
    """Yields the sessions wanted, the latest join first, fetched ``page`` at a time."""

    def __call__(self, wanted: Wanted, page: int = PAGE_MAX) -> Iterator[Row]:
        """Start reading."""
        ...


def source(config: Config) -> Source:
    """Return the engine, or the ledger where no engine answers. Raises ``Failure`` where there is neither."""
    client = EngineClient(config.api_socket)
    try:
        client.get("/healthz")
    except NoEngine as error:
        if not config.database.exists():
            raise Failure(f"{error}; and there is no ledger at {config.database}") from error
        return _from_ledger(config)
    return _from_engine(client)


def unknown(read: Source, wanted: Wanted) -> str | None:
    """Say which id of ``wanted`` no session has at all, or None."""
    nothing = Wanted()
    for kind in ("guild", "user", "channel", "event"):
        value = getattr(wanted, kind)
        if value and next(read(replace(nothing, **{kind: value}), page=1), None) is None:
            return f"no session of {kind} {value} in the ledger"
    return None


def _from_engine(client: EngineClient) -> Source:
    def read(wanted: Wanted, page: int = PAGE_MAX) -> Iterator[Row]:
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


def _from_ledger(config: Config) -> Source:
    reads = queries.SqlReads(config.database)

    def read(wanted: Wanted, page: int = PAGE_MAX) -> Iterator[Row]:
        cursor = None
        while True:
            items, cursor = reads.sessions(_filter(wanted), limit=page, cursor=cursor, spans=wanted.spans)
            yield from items
            if cursor is None:
                return

    return read


def _filter(wanted: Wanted) -> queries.SessionFilter:
    ids = {
        "guild_id": wanted.guild,
        "user_id": wanted.user,
        "channel_id": wanted.channel,
        "event_id": wanted.event,
    }
    return queries.SessionFilter.written(ids, wanted.since, wanted.until, wanted.status)


class Names(NamedTuple):
    """What guilds and channels are called, by id."""

    guilds: dict[int, str]
    channels: dict[int, str]


def names(config: Config, rows: Iterable[Row]) -> Names:
    """Return the names that the ledger knows of; none where its file cannot be read from here."""
    places = {(int(row["guildId"]), int(row["channelId"])) for row in rows}
    try:
        with closing(open_readonly(config.database)) as database:
            guilds = queries.guild_names(database, (guild_id for guild_id, _ in places))
            return Names(guilds, queries.channel_names(database, places))
    except StorageError:
        return Names({}, {})
