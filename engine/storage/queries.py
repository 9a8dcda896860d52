"""What is read of the ledger: sessions a page at a time, counts, names. Runs beside the engine or without it.

Each function takes an open database (``database.open_readonly``) and answers as of one moment. Rows come as
plain dictionaries in the words of the HTTP API.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple, TypeAlias

from peewee import SQL, Node, SqliteDatabase, Tuple, ValuesList, fn

from engine.domain import views
from engine.domain.effects import Status
from engine.domain.ids import SessionKey, parse_session_id
from engine.storage import session_view
from engine.storage.database import faults, open_readonly
from engine.storage.models import Channel, DeadLetter, Guild, Outbox, Session
from engine.storage.session_view import described, fetched

Row: TypeAlias = session_view.Row

ID_MAX = 2**63 - 1  # SQLite's largest integer

# The guilds of the session table, found by jumping from one to the next in its key: with them at hand, the
# key and the index on left_at answer for all guilds what they answer for one.
EVERY_GUILD = SQL(
    "(WITH RECURSIVE every(id) AS (SELECT min(guild_id) FROM session UNION ALL"
    " SELECT (SELECT min(guild_id) FROM session WHERE guild_id > id) FROM every WHERE id IS NOT NULL)"
    " SELECT id FROM every WHERE id IS NOT NULL)"
)


class InvalidCursor(ValueError):  # noqa: N818 - it names what is wrong
    """The cursor is none that a page ever named."""


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Which sessions; None means any. ``since``, ``until``: ms UTC; those that overlap ``[since, until)``."""

    guild_id: int | None = None
    user_id: int | None = None
    channel_id: int | None = None
    event_id: int | None = None
    since: int | None = None
    until: int | None = None
    status: str | None = None

    @classmethod
    def written(
        cls, ids: Mapping[str, str | None], since: datetime | None, until: datetime | None, status: str | None
    ) -> "SessionFilter":
        """Read a filter as people write it: ``ids`` by the names of the fields, in digits."""
        numbers = {name: int(text) for name, text in ids.items() if text is not None}
        return cls(**numbers, since=_ms(since), until=_ms(until), status=status)


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - views.EPOCH) // timedelta(milliseconds=1)


class Page(NamedTuple):
    """Some items, and the cursor of the next page if there is one."""

    items: list[Row]
    next: str | None


def sessions(
    database: SqliteDatabase,
    wanted: SessionFilter,
    *,
    limit: int = 100,
    cursor: str | None = None,
    spans: bool = False,
) -> Page:
    """Return a page of sessions, the latest join first. Raises ``InvalidCursor``."""
    if wanted.event_id is not None:  # no session is linked to an event yet
        return Page([], None)
    query = Session.select().where(*_conditions(wanted))
    if cursor is not None:
        query = query.where(_order() < Tuple(*_position(cursor)))
    newest_first = (Session.joined_at.desc(), Session.guild_id.desc(), Session.user_id.desc())
    with database.atomic():
        rows = fetched(database, query.order_by(*newest_first).limit(limit + 1))
        more = len(rows) > limit
        items = described(database, rows[:limit], spans=spans)
    return Page(items, items[-1]["sessionId"] if more else None)


def session(database: SqliteDatabase, session_id: str) -> Row | None:
    """Return one session with its spans; None where there is none, or ``session_id`` is no id."""
    key = _parsed(session_id)
    if key is None:
        return None
    query = Session.select().where(
        Session.guild_id == key.guild_id,
        Session.user_id == key.user_id,
        Session.joined_at == key.joined_at,
    )
    with database.atomic():
        return next(iter(described(database, fetched(database, query), spans=True)), None)


def overview(database: SqliteDatabase) -> dict[str, int]:
    """Return how much there is: open and closed sessions, guilds, dead letters, pending outbox effects."""
    with database.atomic():
        everything = Session.select().count(database)
        opened = sum(open_by_guild(database).values())
        return {
            "openSessions": opened,
            "closedSessions": everything - opened,
            "guilds": Guild.select().where(Guild.present).count(database),
            "deadLetters": DeadLetter.select().count(database),
            "outboxPending": Outbox.select().where(Outbox.status == "pending").count(database),
        }


def open_by_guild(database: SqliteDatabase) -> dict[int, int]:
    """Count the open sessions of each guild that has any."""
    query = (
        Session.select(Session.guild_id, fn.COUNT(SQL("*")))
        .where(Session.guild_id.in_(EVERY_GUILD), Session.left_at.is_null())
        .group_by(Session.guild_id)
    )
    return dict(query.tuples().execute(database))


def dead_letters(database: SqliteDatabase, limit: int = 100) -> list[Row]:
    """Return the journal entries that could not take effect, the latest first."""
    query = DeadLetter.select().order_by(DeadLetter.at.desc(), DeadLetter.journal_id.desc()).limit(limit)
    return [
        {
            "journalId": row["journal_id"],
            "partition": row["partition"],
            "guildId": None if row["guild_id"] is None else str(row["guild_id"]),
            "reason": row["reason"],
            "at": views.iso(row["at"]),
            "bytes": len(row["entry"]),
        }
        for row in fetched(database, query)
    ]


def guild_names(database: SqliteDatabase, guild_ids: Iterable[int]) -> dict[int, str]:
    """Return the names of those guilds that are known by one."""
    query = Guild.select(Guild.guild_id, Guild.name).where(
        Guild.guild_id.in_(set(guild_ids)), Guild.name != ""
    )
    return dict(query.tuples().execute(database))


def channel_names(database: SqliteDatabase, channels: Iterable[tuple[int, int]]) -> dict[int, str]:
    """Return the names of channels, given as ``(guild_id, channel_id)``; deleted ones keep theirs."""
    wanted = ValuesList(sorted(set(channels)) or [(0, 0)], alias="wanted")
    query = (
        Channel.select(Channel.channel_id, Channel.name)
        .join(wanted, on=(Channel.guild_id == wanted.c.column1) & (Channel.channel_id == wanted.c.column2))
        .where(Channel.name != "")
    )
    return dict(query.tuples().execute(database))


class SqlReads:
    """The queries for any thread: each call opens a connection of its own and closes it.

    Every method raises ``StorageError`` where the ledger cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def sessions(
        self, wanted: SessionFilter, *, limit: int = 100, cursor: str | None = None, spans: bool = False
    ) -> Page:
        """Return a page of sessions, the latest join first. Raises ``InvalidCursor``."""
        with self._database() as database:
            return sessions(database, wanted, limit=limit, cursor=cursor, spans=spans)

    def session(self, session_id: str) -> Row | None:
        """Return one session with its spans; None where there is none, or ``session_id`` is no id."""
        with self._database() as database:
            return session(database, session_id)

    def overview(self) -> dict[str, int]:
        """Return how much there is of everything."""
        with self._database() as database:
            return overview(database)

    def open_by_guild(self) -> dict[int, int]:
        """Count the open sessions of each guild that has any."""
        with self._database() as database:
            return open_by_guild(database)

    @contextmanager
    def _database(self) -> Iterator[SqliteDatabase]:
        database = open_readonly(self._path)
        try:
            with faults(self._path):
                yield database
        finally:
            database.close()


def _order() -> Tuple:
    return Tuple(Session.joined_at, Session.guild_id, Session.user_id)


def _parsed(session_id: str) -> SessionKey | None:
    try:
        key = parse_session_id(session_id)
    except ValueError:
        return None
    return key if max(key) <= ID_MAX else None


def _position(cursor: str) -> tuple[int, int, int]:
    last = _parsed(cursor)
    if last is None:
        raise InvalidCursor(cursor)
    return last.joined_at, last.guild_id, last.user_id


def _conditions(wanted: SessionFilter) -> list[Node]:
    conditions: list[Node] = [
        column == value
        for column, value in (
            (Session.guild_id, wanted.guild_id),
            (Session.user_id, wanted.user_id),
            (Session.channel_id, wanted.channel_id),
        )
        if value is not None
    ]
    active = wanted.status == views.STATUS_NAMES[Status.ACTIVE]
    if wanted.guild_id is None and (wanted.user_id is not None or active):
        conditions.append(Session.guild_id.in_(EVERY_GUILD))
    if active:
        conditions.append(Session.left_at.is_null())
    elif wanted.status is not None:
        conditions.append(Session.status == Status[wanted.status.upper()])
    if wanted.since is not None:
        conditions.append(Session.left_at.is_null() | (Session.left_at > wanted.since))
    if wanted.until is not None:
        conditions.append(Session.joined_at < wanted.until)
    return conditions or [SQL("1")]
