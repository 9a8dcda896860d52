"""What the ledger has of an event's attendance: the sessions in its channels with their spans."""

from collections.abc import Iterable, Iterator, Mapping
from sqlite3 import Connection
from typing import Any

import msgspec.json

from engine.domain.attendance import Piece, Stay, window
from engine.domain.events import Event
from engine.domain.inputs import VoiceFlags
from engine.storage.event_rows import find_participants
from engine.storage.protocols import Attendance
from engine.storage.rows import Row, statements, unpack_roles

NO_PEOPLE = int(VoiceFlags.BOT)
STAY_COLUMNS = """
    user_id, channel_id, joined_at, span_at, flags, roles, joined_slack_ms, left_at, left_slack_ms
"""
# What ``attendance.overlaps`` says, in SQL. The one part for each way in which a session may reach into the
# window, and an index for each: still open, left after its beginning, seen to leave before it but perhaps
# there for longer.
_STAY = f"""
    SELECT {STAY_COLUMNS}
    FROM session
    WHERE guild_id = :guild_id AND channel_id IN (SELECT value FROM json_each(:channel_ids))
        AND NOT flags & {NO_PEOPLE} AND joined_at - :generous * joined_slack_ms < :ends_at
"""  # noqa: S608 - a constant
_STAYS = f"""
    {_STAY} AND left_at IS NULL
    UNION ALL
    {_STAY} AND left_at >= :started_at
        AND max(left_at + :generous * left_slack_ms, joined_at + 1) > :started_at
    UNION ALL
    {_STAY} AND :generous AND left_at < :started_at AND left_slack_ms > 0
        AND left_at + left_slack_ms > :started_at
    ORDER BY joined_at, user_id
"""
# CROSS JOIN has SQLite look up the spans of each session, not the sessions of each span.
_PIECES = """
    SELECT column2, column3, started_at, ended_at, flags, roles
    FROM (VALUES {rows}) CROSS JOIN span
    WHERE guild_id = column1 AND user_id = column2 AND joined_at = column3
    ORDER BY started_at, ended_at
"""


def find_attendance(connection: Connection, event: Event) -> Attendance:
    """Return what there is of an event's attendance; stays in order of joining, then of the user ids."""
    stays = [] if event.started_at is None else read_stays(connection, _STAYS, window_values(event))
    return Attendance(event, stays, find_participants(connection, event.event_id))


def window_values(event: Event) -> dict[str, Any]:
    """Return what a query for the stays of an event needs to know of it."""
    started_at, ends_at = window(event)
    return {
        "guild_id": event.guild_id,
        "channel_ids": msgspec.json.encode(event.channel_ids).decode(),
        "started_at": started_at,
        "ends_at": ends_at,
        "generous": int(event.policy.generous),
    }


def read_stays(
    connection: Connection, sql: str, values: Mapping[str, Any], *, spans: bool = True
) -> list[Stay]:
    """Return the stays of a query for ``STAY_COLUMNS``; without ``spans``, only of when and where."""
    rows = connection.execute(sql, values).fetchall()
    pieces: dict[tuple[int, int], list[Piece]] = {}
    keys = sorted((values["guild_id"], row[0], row[2]) for row in rows) if spans else []
    for user_id, joined_at, started_at, ended_at, flags, roles in _pieces(connection, keys):
        piece = Piece(started_at, ended_at, flags, unpack_roles(roles))
        pieces.setdefault((user_id, joined_at), []).append(piece)
    return [_stay(row, pieces.get((row[0], row[2]), ())) for row in rows]


def _pieces(connection: Connection, keys: list[Row]) -> Iterator[Row]:
    for statement in statements(_PIECES, keys):
        yield from connection.execute(*statement)


def _stay(row: Row, pieces: Iterable[Piece]) -> Stay:
    user_id, channel_id, joined_at, span_at, flags, roles, joined_slack_ms, left_at, left_slack_ms = row
    return Stay(
        user_id,
        channel_id,
        joined_at,
        span_at,
        flags,
        unpack_roles(roles),
        joined_slack_ms,
        left_at,
        left_slack_ms,
        tuple(pieces),
    )
