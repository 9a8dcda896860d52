"""Sessions from the running engine, or from the ledger's file where none runs."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
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
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
    return queries.SessionFilter(
        guild_id=_int(wanted.guild),
        user_id=_int(wanted.user),
        channel_id=_int(wanted.channel),
        event_id=_int(wanted.event),
        since=_ms(wanted.since),
        until=_ms(wanted.until),
        status=wanted.status,
    )


def _int(snowflake: str | None) -> int | None:
    return None if snowflake is None else int(snowflake)


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - _EPOCH) // timedelta(milliseconds=1)


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
