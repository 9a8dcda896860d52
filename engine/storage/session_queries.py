"""Sessions, a page at a time, by the key and two indexes of their table (see ``models`` for why not more).

A page of a user's, of an event's or of open sessions looks at those; one of a guild's at the keys of all
that the guild ever had. Any other walks all sessions, the latest first, until it is full.
"""

from dataclasses import dataclass
from typing import Any

from peewee import SQL, ModelSelect, Node, SqliteDatabase, Tuple, fn

from engine.domain import views
from engine.domain.effects import Status
from engine.domain.ids import SessionKey, parse_session_id
from engine.storage.event_models import EventSession
from engine.storage.models import Session
from engine.storage.pages import ID_MAX, Filter, InvalidCursor, Page, Row, fetched
from engine.storage.session_view import described

# The guilds of the session table, found by jumping from one to the next in its key: with them at hand, the
# key and the index on left_at answer for all guilds what they answer for one.
EVERY_GUILD = SQL(
    "(WITH RECURSIVE every(id) AS (SELECT min(guild_id) FROM session UNION ALL"
    " SELECT (SELECT min(guild_id) FROM session WHERE guild_id > id) FROM every WHERE id IS NOT NULL)"
    " SELECT id FROM every WHERE id IS NOT NULL)"
)


_KEY = (Session.joined_at, Session.guild_id, Session.user_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter(Filter):
    """Which sessions. ``event_id``: those linked to an event."""

    user_id: int | None = None
    event_id: int | None = None


def sessions(
    database: SqliteDatabase,
    wanted: SessionFilter,
    *,
    limit: int = 100,
    cursor: str | None = None,
    spans: bool = False,
) -> Page:
    """Return a page of sessions, the latest join first. Raises ``InvalidCursor``."""
    keys = Session.select(*_KEY).where(*_conditions(wanted))
    if cursor is not None:
        keys = keys.where(_order() < Tuple(*_position(cursor)))
    newest_first = [column.desc() for column in _KEY]
    page = keys.order_by(*newest_first).limit(limit + 1)
    with database.atomic():
        # The keys first: of a guild's whole history they alone are sorted, often without a look at the rows.
        rows = fetched(database, Session.select().where(_order().in_(page)).order_by(*newest_first))
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


def open_by_guild(database: SqliteDatabase) -> dict[int, int]:
    """Count the open sessions of each guild that has any."""
    query = (
        Session.select(Session.guild_id, fn.COUNT(SQL("*")))
        .where(Session.guild_id.in_(EVERY_GUILD), Session.left_at.is_null())
        .group_by(Session.guild_id)
    )
    return dict(query.tuples().execute(database))


def _order() -> Tuple:
    return Tuple(*_KEY)


def _parsed(session_id: str) -> SessionKey | None:
    try:
        key = parse_session_id(session_id)
    except ValueError:
        return None
    return key if max(map(abs, key)) <= ID_MAX else None


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
    if wanted.event_id is not None:
        conditions.append(_order().in_(_linked(wanted.event_id)))
    elif wanted.guild_id is None and (wanted.user_id is not None or active):
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


def _linked(event_id: int) -> "ModelSelect[Any]":
    columns = EventSession.joined_at, EventSession.guild_id, EventSession.user_id
    return EventSession.select(*columns).where(EventSession.event_id == event_id)
