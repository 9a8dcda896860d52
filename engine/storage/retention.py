"""What is not kept for ever: sessions that ended long ago, with their spans and links (``privacy``).

Participants, badges and the events themselves stay: they are the result. With a member's last session goes
what they are called, unless a result names them.
"""

from sqlite3 import Connection

from engine.storage.event_models import OPEN_EVENTS
from engine.storage.forgetting import Share

# Of one portion, which one transaction removes: sessions, and guilds looked through for them.
SESSIONS, GUILDS = 1_000, 1_000

_NEXT_GUILD = "SELECT min(guild_id) FROM session WHERE guild_id > ?"
# By the index on (guild_id, left_at); those that may have lasted beyond the horizon count as such.
_OLD = """
    SELECT guild_id, user_id, joined_at FROM session
    WHERE guild_id = ? AND left_at < ? AND left_at + left_slack_ms < ? ORDER BY left_at LIMIT ?
"""
# Until its book is closed, an event may have to be scored again.
_HORIZON = f"SELECT min(started_at) FROM event WHERE guild_id = ? AND ({OPEN_EVENTS})"  # noqa: S608 - a constant
_NAMELESS = """
    DELETE FROM member WHERE guild_id = :guild_id AND user_id = :user_id
        AND NOT EXISTS (SELECT 1 FROM session WHERE guild_id = :guild_id AND user_id = :user_id)
        AND NOT EXISTS (SELECT 1 FROM participant WHERE user_id = :user_id AND guild_id = :guild_id)
        AND NOT EXISTS (SELECT 1 FROM badge WHERE user_id = :user_id AND guild_id = :guild_id)
"""
_KEY = "guild_id = ? AND user_id = ? AND joined_at = ?"


class Pruning:
    """Goes from guild to guild, a portion at a call; knows where it stands between them."""

    def __init__(self, mine: Share) -> None:
        self._mine = mine
        self._after = -1

    def portion(self, connection: Connection, before: int) -> bool:
        """Remove a portion of what ended before a moment. False once all guilds have been looked through."""
        room = SESSIONS
        for _ in range(GUILDS):
            (guild_id,) = connection.execute(_NEXT_GUILD, (self._after,)).fetchone()
            if guild_id is None:
                self._after = -1
                return False
            if self._mine.has(guild_id):
                room -= _prune(connection, guild_id, before, room)
                if not room:
                    return True
            self._after = guild_id
        return True


def _prune(connection: Connection, guild_id: int, before: int, limit: int) -> int:
    (needed_since,) = connection.execute(_HORIZON, (guild_id,)).fetchone()
    before = before if needed_since is None else min(before, needed_since)
    old = connection.execute(_OLD, (guild_id, before, before, limit)).fetchall()
    for table in ("span", "eventsession", "session"):
        connection.executemany(f"DELETE FROM {table} WHERE {_KEY}", old)  # noqa: S608 - constants
    members = [{"guild_id": guild_id, "user_id": it} for it in {row[1] for row in old}]
    connection.executemany(_NAMELESS, members)
    return len(old)
