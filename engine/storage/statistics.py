"""How much there was: of an event, a user, a guild, a channel.

What a query walks: of an event its participants, of a user their own rows, of a guild or a channel all of the
guild's sessions and the participants of its events. But for ``event_stats``, participation is what the rows
say: of an active event they say who takes part, and nothing yet of their time.
"""

from collections.abc import Sequence
from sqlite3 import Connection
from typing import Any

from peewee import SqliteDatabase

from engine.domain import views
from engine.domain.attendance import NOTHING
from engine.domain.event_views import EVENT_STATUS_NAMES, REASON_NAMES, moment
from engine.domain.events import Event, EventStatus
from engine.domain.ids import person
from engine.domain.presence import peak
from engine.storage.database import driver
from engine.storage.pages import Row, Times
from engine.storage.participant_queries import DELIVERIES, scoring
from engine.storage.scoring import Person, Scoring
from engine.storage.session_queries import EVERY_GUILD

_BADGES = """
    SELECT outbox.status, count(*) FROM badge LEFT JOIN outbox USING (outbox_id)
    WHERE event_id = ? GROUP BY outbox.status
"""
_ATTENDED = """
    SELECT count(*), coalesce(sum(eligible), 0), coalesce(sum(counted_ms), 0)
    FROM participant WHERE user_id = :user_id AND guild_id = coalesce(:guild_id, guild_id)
"""
_EARNED = """
    SELECT count(*) FROM badge WHERE user_id = :user_id AND guild_id = coalesce(:guild_id, guild_id)
"""
# A user has at most one open session in a guild.
_SESSIONS_OF_USER = f"""
    SELECT guild_id, count(*), coalesce(sum(left_at - joined_at), 0),
        max(CASE WHEN left_at IS NULL THEN joined_at END)
    FROM session WHERE user_id = :user_id AND guild_id IN
        (SELECT :guild_id UNION ALL SELECT * FROM {EVERY_GUILD.sql} WHERE :guild_id IS NULL)
    GROUP BY guild_id
"""  # noqa: S608 - a constant
_GUILD = "SELECT name FROM guild WHERE guild_id = ?"
_CHANNEL = "SELECT guild_id, name FROM channel WHERE channel_id = ?"
# The members by the key alone: with the rest, SQLite would keep a set of them on the side.
_SESSIONS_OF_GUILD = """
    SELECT (SELECT count(DISTINCT user_id) FROM session WHERE guild_id = :guild_id), count(*),
        coalesce(sum(max(coalesce(left_at, :now) - joined_at, 0)), 0)
    FROM session WHERE guild_id = :guild_id
"""
_SESSIONS_OF_CHANNEL = """
    SELECT count(DISTINCT user_id), count(*), coalesce(sum(max(coalesce(left_at, :now) - joined_at, 0)), 0)
    FROM session WHERE guild_id = :guild_id AND channel_id = :channel_id
"""
_HELD = """
    FROM event {more} WHERE event.guild_id = :guild_id
        AND (:channel_id IS NULL OR :channel_id IN (SELECT value FROM json_each(channel_ids)))
"""
_EVENTS_HELD = f"SELECT status, count(*) {_HELD.format(more='')} GROUP BY status"
_TOOK_PART = f"""
    SELECT count(DISTINCT user_id), coalesce(sum(counted_ms), 0)
    {_HELD.format(more="JOIN participant USING (event_id)")}
"""


def event_stats(database: SqliteDatabase, event_id: int) -> Row | None:
    """Return how an event went, of an active one how it goes by now; None: no such event.

    ``presentSeconds``: in its channels and window, counted or not; ``averageConcurrency`` is their sum over
    the event's ``length``. The peak is that of the sessions still kept.
    """
    with database.atomic():
        found = scoring(database, event_id)
        if found is None:
            return None
        people = list(found.everybody())
        badges = dict(driver(database).execute(_BADGES, (event_id,)))
    return _identity(found.event) | _attendance(found, people) | {"badges": _delivered(badges)}


def _identity(event: Event) -> Row:
    return {
        "eventId": str(event.event_id),
        "startedAt": moment(event.started_at),
        "endedAt": moment(event.ended_at),
    }


def _attendance(found: Scoring, people: Sequence[Person]) -> Row:
    rows = [it.participant for it in people]
    tally = [sum(column) for column in zip(NOTHING, *(it.tally for it in rows), strict=True)]
    most, since = peak(found.event, (stay for it in people for stay in it.stays))
    length_ms = found.length_ms
    return {
        "length": views.seconds(length_ms),
        "participants": len(rows),
        "eligible": sum(map(found.is_eligible, rows)),
        "countedSeconds": views.seconds(tally[0]),
        "presentSeconds": views.seconds(sum(tally)),
        "reasons": {name: views.seconds(tally[it]) for it, name in REASON_NAMES.items() if tally[it]},
        "peakConcurrency": most,
        "peakAt": moment(since),
        "averageConcurrency": round(sum(tally) / length_ms, 3) if length_ms else 0.0,
    }


def _delivered(counts: dict[str | None, int]) -> dict[str, int]:
    """Return the badges by what became of them, ``counts`` by the outbox's word for it."""
    outcomes = {name: counts.get(status, 0) for status, name in DELIVERIES.items()}
    return {"awarded": sum(counts.values())} | outcomes


def user_stats(database: SqliteDatabase, user_id: int, guild_id: int | None = None) -> Row:
    """Return what a user attended and how long they were in voice channels, in one guild or in all."""
    of = {"user_id": user_id, "guild_id": guild_id}
    connection = driver(database)
    with database.atomic():
        attended, eligible, counted_ms = connection.execute(_ATTENDED, of).fetchone()
        (badges,) = connection.execute(_EARNED, of).fetchone()
        guilds = connection.execute(_SESSIONS_OF_USER, of).fetchall()
        times = Times.read(database)
    return {
        "userId": person(user_id),
        "guildId": None if guild_id is None else str(guild_id),
        "eventsAttended": attended,
        "eventsEligible": eligible,
        "badges": badges,
        "countedSeconds": views.seconds(counted_ms),
        "voiceSessions": sum(count for _, count, _, _ in guilds),
        "voiceSeconds": views.seconds(sum(_voice_ms(times, *it) for it in guilds)),
    }


def _voice_ms(times: Times, guild_id: int, _: int, closed_ms: int, open_since: int | None) -> int:
    if open_since is None:
        return closed_ms
    return closed_ms + views.duration_ms(open_since, None, times.of(guild_id, open_since))


def guild_stats(database: SqliteDatabase, guild_id: int) -> Row | None:
    """Return how much there was in a guild; None of one that is not known."""
    connection = driver(database)
    with database.atomic():
        known = connection.execute(_GUILD, (guild_id,)).fetchone()
        if known is None:
            return None
        of = {"guild_id": guild_id, "channel_id": None, "now": Times.read(database).of(guild_id, 0)}
        return {"guildId": str(guild_id), "name": known[0], **_held(connection, _SESSIONS_OF_GUILD, of)}


def channel_stats(database: SqliteDatabase, channel_id: int) -> Row | None:
    """Return how much there was in a channel, and in the events held in it; None of one that is not known."""
    connection = driver(database)
    with database.atomic():
        known = connection.execute(_CHANNEL, (channel_id,)).fetchone()
        if known is None:
            return None
        guild_id, name = known
        of = {"guild_id": guild_id, "channel_id": channel_id, "now": Times.read(database).of(guild_id, 0)}
        names = {"channelId": str(channel_id), "guildId": str(guild_id), "name": name}
        return names | _held(connection, _SESSIONS_OF_CHANNEL, of)


def _held(connection: Connection, sessions_sql: str, of: dict[str, Any]) -> Row:
    members, sessions, voice_ms = connection.execute(sessions_sql, of).fetchone()
    events = dict(connection.execute(_EVENTS_HELD, of))
    participants, counted_ms = connection.execute(_TOOK_PART, of).fetchone()
    return {
        "members": members,
        "voiceSessions": sessions,
        "voiceSeconds": views.seconds(voice_ms),
        "events": {EVENT_STATUS_NAMES[status]: events.get(status, 0) for status in EventStatus},
        "participants": participants,
        "countedSeconds": views.seconds(counted_ms),
    }
