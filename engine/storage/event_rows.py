"""Events and participants as rows, both ways."""

from sqlite3 import Connection

import msgspec.json

from engine.domain.attendance import Participant
from engine.domain.events import Event, EventStatus, Policy
from engine.storage.event_models import OPEN_EVENTS
from engine.storage.rows import Row

EVENT_COLUMNS = """
    event_id, guild_id, name, channel_ids, status, starts_at, ends_at, started_at, ended_at,
    required_role_ids, match_all, min_duration_ms, min_share, source, discord_event_id, afk_channel_id,
    created_at, updated_at, settled, count_muted, count_suppressed, count_alone, count_afk, count_bridged,
    generous
"""
_EVENTS = f"SELECT {EVENT_COLUMNS} FROM event"  # noqa: S608 - a constant
PARTICIPANT_COLUMNS = """
    user_id, entered_at, start_at, end_at, eligible, counted_ms, deafened_ms, missing_role_ms, afk_ms,
    bridged_ms, suppressed_ms, muted_ms, alone_ms
"""
_PARTICIPANTS = f"SELECT {PARTICIPANT_COLUMNS} FROM participant WHERE event_id = ? ORDER BY user_id"  # noqa: S608

_ids = msgspec.json.Decoder(tuple[int, ...])


def find_event(connection: Connection, event_id: int) -> Event | None:
    """Return one event, None if there is none of this id."""
    row = connection.execute(f"{_EVENTS} WHERE event_id = ?", (event_id,)).fetchone()
    return None if row is None else read_event(row)


def find_open_events(connection: Connection) -> list[Event]:
    """Return the events that are scheduled, active, or over and not settled, in order of their ids."""
    rows = connection.execute(f"{_EVENTS} WHERE {OPEN_EVENTS} ORDER BY event_id")
    return [read_event(row) for row in rows]


def find_begun_events(connection: Connection, guild_id: int) -> list[Event]:
    """Return a guild's events that are going on or over."""
    wanted = f"{_EVENTS} WHERE guild_id = ? AND started_at IS NOT NULL ORDER BY started_at, event_id"
    return [read_event(row) for row in connection.execute(wanted, (guild_id,))]


def find_participants(connection: Connection, event_id: int) -> list[Participant]:
    """Return an event's participants, in order of their user ids."""
    return [read_participant(row) for row in connection.execute(_PARTICIPANTS, (event_id,))]


def event_row(it: Event) -> Row:
    """Return an event as ``EVENT_COLUMNS``."""
    policy = it.policy
    return (
        it.event_id,
        it.guild_id,
        it.name,
        msgspec.json.encode(it.channel_ids).decode(),
        it.status.value,
        it.starts_at,
        it.ends_at,
        it.started_at,
        it.ended_at,
        msgspec.json.encode(it.required_role_ids).decode(),
        it.match_all,
        it.min_duration_ms,
        it.min_share,
        it.source,
        it.discord_event_id,
        it.afk_channel_id,
        it.created_at,
        it.updated_at,
        it.settled,
        policy.count_muted,
        policy.count_suppressed,
        policy.count_alone,
        policy.count_afk,
        policy.count_bridged,
        policy.generous,
    )


def read_event(row: Row) -> Event:
    """Return the event of a row of ``EVENT_COLUMNS``."""
    return Event(
        event_id=row[0],
        guild_id=row[1],
        name=row[2],
        channel_ids=_ids.decode(row[3]),
        status=EventStatus(row[4]),
        starts_at=row[5],
        ends_at=row[6],
        started_at=row[7],
        ended_at=row[8],
        required_role_ids=_ids.decode(row[9]),
        match_all=bool(row[10]),
        min_duration_ms=row[11],
        min_share=row[12],
        source=row[13],
        discord_event_id=row[14],
        afk_channel_id=row[15],
        created_at=row[16],
        updated_at=row[17],
        settled=bool(row[18]),
        policy=Policy(*map(bool, row[19:])),
    )


def participant_row(guild_id: int, event_id: int, it: Participant) -> Row:
    """Return a participant's row: its key, its guild, and the fields in order, the tally reason by reason."""
    eligible = None if it.eligible is None else int(it.eligible)
    return (event_id, it.user_id, guild_id, it.entered_at, it.start_at, it.end_at, *it.tally, eligible)


def read_participant(row: Row) -> Participant:
    """Return the participant of a row of ``PARTICIPANT_COLUMNS``."""
    user_id, entered_at, start_at, end_at, eligible, *tally = row
    eligible = None if eligible is None else bool(eligible)
    return Participant(user_id, entered_at, start_at, end_at, tuple(tally), eligible)
