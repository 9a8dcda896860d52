"""What commands read: from the running engine, or from the ledger's file where none runs."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple, Protocol, TypeAlias

from engine.cli.client import EngineClient, NoEngine
from engine.cli.failure import Failure
from engine.config import Config

# A session, an event, a participant, ... as the API gives it (DESIGN.md, "Contracts").
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


@dataclass(frozen=True, slots=True)
class WantedEvents:
    """Which events. All that is given must hold."""

    guild: str | None = None
    channel: str | None = None
    status: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Records(Protocol):
    """Reads; lists come a page at a time. Raises ``Failure`` where there is no such event, ..."""

    def sessions(self, wanted: Wanted, page: int) -> Iterator[Row]:
        """Yield sessions, the latest join first."""
        ...

    def events(self, wanted: WantedEvents, page: int) -> Iterator[Row]:
        """Yield events, the latest first."""
        ...

    def event(self, event_id: str) -> Row:
        """Return one event."""
        ...

    def participants(self, event_id: str, *, intervals: bool, eligible: bool | None) -> Iterator[Row]:
        """Yield an event's participants, by their ids."""
        ...

    def badges(self, event_id: str) -> Iterator[Row]:
        """Yield the badges that an event gave, by the ids of who has them."""
        ...

    def stats(self, kind: str, of: str, guild: str | None = None) -> Row:
        """Return the statistics of an event, user, guild or channel."""
        ...

    def guilds(self) -> Iterable[Row]:
        """Yield the guilds that are known."""
        ...

    def channels(self, guild: str) -> Iterable[Row]:
        """Yield a guild's voice and stage channels."""
        ...


def source(config: Config) -> Records:
    """Return the engine, or the ledger where no engine answers. Raises ``Failure`` where there is neither."""
    client = EngineClient(config.api_socket)
    try:
        client.get("/healthz")
    except NoEngine as error:
        if not config.database.exists():
            raise Failure(f"{error}; and there is no ledger at {config.database}") from error
        from engine.cli.ledger_records import LedgerRecords

        return LedgerRecords(config.database)
    return engine(client)


def engine(client: EngineClient) -> Records:
    """Return the records as the running engine gives them."""
    from engine.cli.engine_records import EngineRecords

    return EngineRecords(client)


def found_sessions(records: Records, wanted: Wanted, limit: int | None) -> tuple[Iterator[Row], str | None]:
    """Start reading; beside the sessions: where there are none, which id is unknown, if one is."""
    rows = records.sessions(wanted, page_of(limit))
    first = next(rows, None)
    return (rows, _unknown(records, wanted)) if first is None else (chain([first], rows), None)


def page_of(limit: int | None) -> int:
    """Return how many rows to fetch at once where ``limit`` are wanted, and whether there are more."""
    return PAGE_MAX if limit is None else min(limit + 1, PAGE_MAX)


def _unknown(records: Records, wanted: Wanted) -> str | None:
    """Say which id of ``wanted`` no session has at all, or None. An event may be one that nobody came to."""
    nothing = Wanted()
    for kind in ("guild", "user", "channel", "event"):
        value = getattr(wanted, kind)
        if value is None or next(records.sessions(replace(nothing, **{kind: value}), 1), None) is not None:
            continue
        if kind != "event" or not _is_event(records, value):
            return f"no session of {kind} {value} in the ledger"
    return None


def _is_event(records: Records, event_id: str) -> bool:
    try:
        records.event(event_id)
    except NoEngine:
        raise
    except Failure:
        return False
    return True


class Names(NamedTuple):
    """What guilds and channels are called, by id."""

    guilds: dict[int, str]
    channels: dict[int, str]

    def guild(self, guild_id: str) -> str:
        """Return a guild's name, or its id."""
        return self.guilds.get(int(guild_id)) or guild_id

    def channel(self, channel_id: str) -> str:
        """Return a channel's name, or its id."""
        return self.channels.get(int(channel_id)) or channel_id


def names(config: Config, places: Iterable[tuple[str, str]]) -> Names:
    """Return the names that the ledger knows of guilds and their channels, given as ``(guildId, channelId)``.

    None where its file cannot be read from here.
    """
    from engine.storage import queries
    from engine.storage.database import open_readonly
    from engine.storage.protocols import StorageError

    ids = {(int(guild_id), int(channel_id)) for guild_id, channel_id in places}
    try:
        with closing(open_readonly(config.database)) as database:
            guilds = queries.guild_names(database, (guild_id for guild_id, _ in ids))
            return Names(guilds, queries.channel_names(database, ids))
    except StorageError:
        return Names({}, {})
