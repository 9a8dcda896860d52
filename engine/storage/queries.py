"""What is read of the ledger: lists a page at a time, counts, names. Runs beside the engine or without it.

Each function takes an open database (``database.open_readonly``) and answers as of one moment. Rows come as
plain dictionaries in the words of the HTTP API. ``SqlReads`` has them all; sessions, events, participants and
statistics have their queries in modules of their own.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from peewee import SqliteDatabase, ValuesList

from engine.domain.tracking import SubjectKind
from engine.storage import event_queries, letter_queries, participant_queries, statistics, subject_queries
from engine.storage.database import faults, open_readonly
from engine.storage.event_queries import EventFilter
from engine.storage.letter_queries import LetterFilter
from engine.storage.models import Channel, DeadLetter, Guild, Outbox, Session
from engine.storage.pages import InvalidCursor, Page, Row, fetched
from engine.storage.session_queries import SessionFilter, open_by_guild, session, sessions

__all__ = [
    "EventFilter",
    "InvalidCursor",
    "LetterFilter",
    "Page",
    "Row",
    "SessionFilter",
    "SqlReads",
    "open_by_guild",
    "session",
    "sessions",
]

STAGE_CHANNEL = 13  # Discord, "Channel Types"


def overview(database: SqliteDatabase) -> dict[str, int]:
    """Return how much there is: open and closed sessions, guilds, dead letters, pending outbox effects."""
    with database.atomic():
        everything = Session.select().count(database)
        opened = sum(open_by_guild(database).values())
        return {
            "openSessions": opened,
            "closedSessions": everything - opened,
            "guilds": Guild.select().where(Guild.present).count(database),
            "deadLetters": DeadLetter.select().where(DeadLetter.retried_at.is_null()).count(database),
            "outboxPending": Outbox.select().where(Outbox.status == "pending").count(database),
        }


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


def guilds(database: SqliteDatabase) -> list[Row]:
    """Return the guilds that the bot is in, in order of their ids."""
    query = Guild.select(Guild.guild_id, Guild.name).where(Guild.present).order_by(Guild.guild_id)
    return [{"guildId": str(it["guild_id"]), "name": it["name"]} for it in fetched(database, query)]


def channels(database: SqliteDatabase, guild_id: int) -> list[Row]:
    """Return a guild's voice and stage channels, in order of their ids; those that are gone are left out."""
    query = Channel.select().where(Channel.guild_id == guild_id, Channel.deleted_at.is_null())
    return [
        {
            "channelId": str(it["channel_id"]),
            "guildId": str(guild_id),
            "name": it["name"],
            "kind": "stage" if it["kind"] == STAGE_CHANNEL else "voice",
        }
        for it in fetched(database, query.order_by(Channel.channel_id))
    ]


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

    def guilds(self) -> list[Row]:
        """Return the guilds that the bot is in."""
        with self._database() as database:
            return guilds(database)

    def is_guild(self, guild_id: int) -> bool:
        """Say whether the bot is in a guild."""
        with self._database() as database:
            found = Guild.select(Guild.guild_id).where(Guild.present, Guild.guild_id == guild_id)
            return bool(found.exists(database))

    def channels(self, guild_id: int) -> list[Row]:
        """Return a guild's voice and stage channels; none of a guild that is not known."""
        with self._database() as database:
            return channels(database, guild_id)

    def event(self, event_id: int) -> Row | None:
        """Return one event, or None."""
        with self._database() as database:
            return event_queries.event(database, event_id)

    def events(self, wanted: EventFilter, *, limit: int = 100, cursor: str | None = None) -> Page:
        """Return a page of events, the latest made first. Raises ``InvalidCursor``."""
        with self._database() as database:
            return event_queries.events(database, wanted, limit=limit, cursor=cursor)

    def player(self, guild_id: int) -> Row | None:
        """Return a guild's player with what trackers say of it, or None."""
        with self._database() as database:
            return subject_queries.player(database, guild_id)

    def override(self, kind: SubjectKind, subject_id: int) -> Row | None:
        """Return the run-time override of a player (by its guild) or an event, or None."""
        with self._database() as database:
            return subject_queries.override(database, kind, subject_id)

    def active_events(self, guild_id: int, channel_id: int | None = None) -> list[Row]:
        """Return a guild's active events, or those in one of its channels, in order of their ids."""
        with self._database() as database:
            return event_queries.active_events(database, guild_id, channel_id)

    def participants(
        self,
        event_id: int,
        *,
        limit: int = 100,
        cursor: str | None = None,
        intervals: bool = False,
        eligible: bool | None = None,
    ) -> Page | None:
        """Return a page of an event's participants by their ids, or None. Raises ``InvalidCursor``."""
        with self._database() as database:
            return participant_queries.participants(
                database, event_id, limit=limit, cursor=cursor, intervals=intervals, eligible=eligible
            )

    def badges(self, event_id: int, *, limit: int = 100, cursor: str | None = None) -> Page | None:
        """Return a page of an event's badges by their users' ids, or None. Raises ``InvalidCursor``."""
        with self._database() as database:
            return participant_queries.badges(database, event_id, limit=limit, cursor=cursor)

    def dead_letters(self, wanted: LetterFilter, *, limit: int = 100, cursor: str | None = None) -> Page:
        """Return a page of dead letters, the last one kept first. Raises ``InvalidCursor``."""
        with self._database() as database:
            return letter_queries.dead_letters(database, wanted, limit=limit, cursor=cursor)

    def retriable(self, wanted: LetterFilter) -> dict[tuple[int, str], list[str]]:
        """Return the journal ids of the letters that may be taken again, by guild and actor."""
        with self._database() as database:
            return letter_queries.retriable(database, wanted)

    def unreadable(self, wanted: LetterFilter) -> int:
        """Count the letters that no actor can be told of."""
        with self._database() as database:
            return letter_queries.unreadable(database, wanted)

    def quarantines(self) -> dict[str, int]:
        """Return the guild of each actor that is quarantined."""
        with self._database() as database:
            return letter_queries.quarantines(database)

    def event_stats(self, event_id: int) -> Row | None:
        """Return how an event went, or goes by now; None: no such event."""
        with self._database() as database:
            return statistics.event_stats(database, event_id)

    def user_stats(self, user_id: int, guild_id: int | None = None) -> Row:
        """Return what a user attended and how long they were in voice channels, in one guild or in all."""
        with self._database() as database:
            return statistics.user_stats(database, user_id, guild_id)

    def guild_stats(self, guild_id: int) -> Row | None:
        """Return how much there was in a guild, or None."""
        with self._database() as database:
            return statistics.guild_stats(database, guild_id)

    def channel_stats(self, channel_id: int) -> Row | None:
        """Return how much there was in a channel, or None."""
        with self._database() as database:
            return statistics.channel_stats(database, channel_id)

    @contextmanager
    def _database(self) -> Iterator[SqliteDatabase]:
        database = open_readonly(self._path)
        try:
            with faults(self._path):
                yield database
        finally:
            database.close()
