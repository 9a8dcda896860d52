"""Events, a page at a time, by the key of their table: there are few beside the sessions."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from peewee import SQL, Case, Function, ModelSelect, Node, SqliteDatabase, fn

from engine.domain.event_views import EVENT_STATUS_NAMES, event_json
from engine.domain.events import EventStatus
from engine.storage.database import driver
from engine.storage.event_models import Event
from engine.storage.event_rows import EVENT_COLUMNS, find_event, read_event
from engine.storage.pages import ID_MAX, Filter, Page, Row, id_position

_STATUSES = {name: status for status, name in EVENT_STATUS_NAMES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter(Filter):
    """Which events. One that has not begun lies where it is to be, one without an end goes on."""


def event(database: SqliteDatabase, event_id: int) -> Row | None:
    """Return one event; None where there is none of this id."""
    found = find_event(driver(database), event_id)
    return None if found is None else event_json(found)


def events(
    database: SqliteDatabase, wanted: EventFilter, *, limit: int = 100, cursor: str | None = None
) -> Page:
    """Return a page of events, the latest made first. Raises ``InvalidCursor``."""
    query = _events(wanted).order_by(Event.event_id.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(Event.event_id < id_position(cursor))
    rows = _read(database, query)
    items = rows[:limit]
    return Page(items, items[-1]["eventId"] if len(rows) > limit else None)


def active_events(database: SqliteDatabase, guild_id: int, channel_id: int | None = None) -> list[Row]:
    """Return a guild's active events, or those in one of its channels, in order of their ids."""
    wanted = EventFilter(
        guild_id=guild_id, channel_id=channel_id, status=EVENT_STATUS_NAMES[EventStatus.ACTIVE]
    )
    return _read(database, _events(wanted).order_by(Event.event_id))


def _events(wanted: EventFilter) -> "ModelSelect[Any]":
    return Event.select(SQL(EVENT_COLUMNS)).where(*_conditions(wanted))


def _read(database: SqliteDatabase, query: "ModelSelect[Any]") -> list[Row]:
    return [event_json(read_event(row)) for row in query.tuples().execute(database)]


def _conditions(wanted: EventFilter) -> Iterable[Node]:
    yield SQL("1")
    if wanted.guild_id is not None:
        yield Event.guild_id == wanted.guild_id
    if wanted.channel_id is not None:
        yield SQL("? IN (SELECT value FROM json_each(channel_ids))", [wanted.channel_id])
    if wanted.status is not None:
        yield Event.status == _STATUSES[wanted.status].value
    if wanted.since is not None:
        yield _end() > wanted.since
    if wanted.until is not None:
        yield fn.COALESCE(Event.started_at, Event.starts_at, Event.created_at) < wanted.until


def _end() -> Function:
    """Return when an event ended, or is to: of one that is held, it is not known."""
    planned = {
        EventStatus.SCHEDULED: Event.ends_at,
        # Of one that never began: when it was to end, else when it was cancelled.
        EventStatus.CANCELLED: fn.COALESCE(Event.ends_at, Event.updated_at),
    }
    return fn.COALESCE(Event.ended_at, Case(Event.status, tuple(planned.items())), ID_MAX)
