"""What is read of the ledger: sessions a page at a time, counts, names. Runs beside the engine or without it.

Each function takes an open database (``database.open_readonly``) and answers as of one moment. Rows come as
plain dictionaries in the words of the HTTP API.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from peewee import SqliteDatabase, ValuesList

from engine.domain import views
from engine.storage.database import faults, open_readonly
from engine.storage.models import Channel, DeadLetter, Guild, Outbox, Session
from engine.storage.pages import InvalidCursor, Page, Row, fetched
from engine.storage.session_queries import SessionFilter, open_by_guild, session, sessions

__all__ = [
    "InvalidCursor",
    "Page",
    "Row",
    "SessionFilter",
    "SqlReads",
    "open_by_guild",
    "session",
    "sessions",
]


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
