"""An event's participants and badges as attendance reports have them, a page at a time, by their ids."""

from collections.abc import Iterable, Mapping
from itertools import islice

from peewee import SqliteDatabase

from engine.domain import presence
from engine.domain.event_views import moment, participant_json
from engine.domain.ids import person
from engine.domain.participation import NEVER
from engine.domain.presence import Interval
from engine.domain.views import iso, seconds
from engine.storage.database import driver
from engine.storage.event_rows import find_event
from engine.storage.member_queries import member_names
from engine.storage.pages import ID_MIN, Page, Row, Times, person_position
from engine.storage.scoring import Person, Scoring

# What the outbox calls it, and what it means for a badge; one that is delivered to nobody is only recorded.
DELIVERIES = {"done": "delivered", "failed": "failed", "pending": "pending", None: "recorded"}

_BADGES = """
    SELECT user_id, awarded_at, distributor, outbox.status, outbox.detail
    FROM badge LEFT JOIN outbox USING (outbox_id)
    WHERE event_id = ? AND user_id > ? ORDER BY user_id LIMIT ?
"""


def scoring(database: SqliteDatabase, event_id: int) -> Scoring | None:
    """Return what reads an event's attendance as of its partition's time; None: no such event."""
    connection = driver(database)
    event = find_event(connection, event_id)
    if event is None:
        return None
    return Scoring(connection, event, Times.read(database).of(event.guild_id, event.updated_at))


def participants(  # noqa: PLR0913 - what may be asked, each by its name
    database: SqliteDatabase,
    event_id: int,
    *,
    limit: int = 100,
    cursor: str | None = None,
    intervals: bool = False,
    eligible: bool | None = None,
) -> Page | None:
    """Return a page of an event's participants, of an active one as they stand now; None: no such event.

    ``intervals``: with the times each was there. ``eligible``: only those who are, or only those who are not.
    Raises ``InvalidCursor``.
    """
    after = _position(cursor)
    with database.atomic():
        found = scoring(database, event_id)
        if found is None:
            return None
        people = list(islice(found.people(after, limit + 1, eligible, spans=intervals), limit + 1))
        names = _names(database, found.event.guild_id, (it.user_id for it, _ in people[:limit]))
        items = [_participant(found, it, names, intervals=intervals) for it in people[:limit]]
    return Page(items, items[-1]["userId"] if len(people) > limit else None)


def badges(
    database: SqliteDatabase, event_id: int, *, limit: int = 100, cursor: str | None = None
) -> Page | None:
    """Return a page of an event's badges; None: no such event. Raises ``InvalidCursor``."""
    after, connection = _position(cursor), driver(database)
    with database.atomic():
        event = find_event(connection, event_id)
        if event is None:
            return None
        rows = connection.execute(_BADGES, (event_id, after, limit + 1)).fetchall()
        names = _names(database, event.guild_id, (row[0] for row in rows[:limit]))
    items = [_badge(names, *row) for row in rows[:limit]]
    return Page(items, items[-1]["userId"] if len(rows) > limit else None)


def _position(cursor: str | None) -> int:
    return ID_MIN if cursor is None else person_position(cursor)


def _names(database: SqliteDatabase, guild_id: int, user_ids: Iterable[int]) -> dict[int, str]:
    found = member_names(database, ((guild_id, user_id) for user_id in user_ids))
    return {user_id: name for (_, user_id), name in found.items()}


def _participant(found: Scoring, person_found: Person, names: Mapping[int, str], *, intervals: bool) -> Row:
    participant, stays = person_found
    # First, so that it stands beside the id.
    named = {"userId": person(participant.user_id), "userName": names.get(participant.user_id)}
    # Whether time counted is not asked without the intervals, nor then whether its member was alone.
    alone = found.alone.get(participant.user_id, NEVER) if intervals else NEVER
    times = presence.intervals(found.event, stays, found.now, alone)
    item = named | participant_json(found.event, participant, found.now)
    item["joinTime"] = iso(min([participant.entered_at, *(it.joined_at for it in times)]))
    # Of one whose sessions left no row, or are kept no more, their last counted time is what is known.
    item["leaveTime"] = moment(times[-1].left_at if times else participant.end_at)
    return item | {"intervals": [_interval(it) for it in times]} if intervals else item


def _interval(it: Interval) -> Row:
    return {
        "joinTime": iso(it.joined_at),
        "leaveTime": moment(it.left_at),
        "duration": seconds(sum(it.tally)),
        "channelId": str(it.channel_id),
        "counted": seconds(it.tally[0]),
    }


def _badge(  # noqa: PLR0913, PLR0917 - a row's columns
    names: Mapping[int, str],
    user_id: int,
    awarded_at: int,
    distributor: str,
    status: str | None,
    detail: str | None,
) -> Row:
    return {
        "userId": person(user_id),
        "userName": names.get(user_id),
        "awardedAt": iso(awarded_at),
        "distributor": distributor,
        "status": DELIVERIES[status],
        "detail": detail or None,
    }
