"""The sessions of some of an event's participants, found by their users: however long ago it was held."""

from collections.abc import Iterable
from sqlite3 import Connection

import msgspec.json

from engine.domain.attendance import END_OF_TIME, Stay
from engine.domain.events import Event
from engine.storage.attendance_rows import NO_PEOPLE, STAY_COLUMNS, read_stays, window_values

# What ``attendance.overlaps`` says, in SQL. A user's sessions never overlap, so of those that began before an
# event only the last may reach into it; but read generously an earlier one may too, and a later one.
_STAYS = f"""
    SELECT {STAY_COLUMNS}
    FROM json_each(:user_ids) AS wanted CROSS JOIN session
    WHERE guild_id = :guild_id AND user_id = wanted.value
        AND joined_at >= CASE WHEN :generous THEN 0 ELSE coalesce((
            SELECT max(earlier.joined_at) FROM session AS earlier
            WHERE earlier.guild_id = :guild_id AND earlier.user_id = wanted.value
                AND earlier.joined_at <= :started_at
        ), 0) END
        AND joined_at < :begun_by AND joined_at - :generous * joined_slack_ms < :ends_at
        AND channel_id IN (SELECT value FROM json_each(:channel_ids)) AND NOT flags & {NO_PEOPLE}
        AND (left_at IS NULL OR max(left_at + :generous * left_slack_ms, joined_at + 1) > :started_at)
    ORDER BY joined_at, user_id
"""  # noqa: S608 - a constant


def find_stays(
    connection: Connection, event: Event, user_ids: Iterable[int], *, spans: bool = True
) -> list[Stay]:
    """Return these users' stays in an event, in order of joining; without ``spans``, only of when and where.

    Costs a look into the session's key for each user; read generously, one for each session of theirs.
    """
    if event.started_at is None:
        return []
    values = window_values(event)
    values["begun_by"] = END_OF_TIME if event.policy.generous else values["ends_at"]
    values["user_ids"] = msgspec.json.encode(list(user_ids)).decode()
    return read_stays(connection, _STAYS, values, spans=spans)
