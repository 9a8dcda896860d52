"""What is known of a guild, from its rows."""

from collections.abc import Iterable
from sqlite3 import Connection
from typing import Any

from msgspec.structs import replace

from engine.domain.guild import GuildState
from engine.domain.lifecycle import Standing
from engine.domain.rules import CREATION_MEMORY_MS, MEMORY_MS
from engine.domain.sessions import Session
from engine.domain.tracking import SubjectKind
from engine.storage.rows import Row, unpack_roles
from engine.storage.tracker_rows import find_player, find_presences, find_subject

OPEN_SESSIONS = """
    SELECT user_id, channel_id, joined_at, flags, span_at, chain_at, previous_at, joined_slack_ms,
        via_channel_creation, bridged, gateway_session_id, roles
    FROM session WHERE guild_id = ? AND left_at IS NULL ORDER BY joined_at, user_id
"""
_LEFT = """
    SELECT user_id, max(left_at, joined_at + 1) FROM session
    WHERE guild_id = ? AND left_at >= ? ORDER BY left_at, joined_at
"""
_CREATED = """
    SELECT channel_id, created_at FROM channel WHERE guild_id = ? AND created_at >= ? ORDER BY created_at
"""
_GUILD = """
    SELECT name, afk_channel_id, connection, confirmed_at, lost_at, present, own_user_id
    FROM guild WHERE guild_id = ?
"""
_STANDING = "SELECT connection, lost_at, present, afk_channel_id FROM guild WHERE guild_id = ?"


def find_guild(connection: Connection, guild_id: int, now: int) -> GuildState:
    """Return a guild's state; one that nobody told of is empty. ``now``: see ``rules.MEMORY_MS``."""
    known = connection.execute(_GUILD, (guild_id,)).fetchone()
    opened = connection.execute(OPEN_SESSIONS, (guild_id,)).fetchall()
    departures = connection.execute(_LEFT, (guild_id, now - MEMORY_MS)).fetchall()
    created = connection.execute(_CREATED, (guild_id, now - CREATION_MEMORY_MS)).fetchall()
    sessions = {row[0]: read_session(row) for row in opened}
    state = GuildState(
        guild_id,
        sessions,
        _latest(departures),
        dict(created),
        bots=find_presences(connection, guild_id),
        player=find_player(connection, guild_id),
        subject=find_subject(connection, SubjectKind.PLAYER, guild_id),
    )
    return state if known is None else replace(state, **_facts(known))


def find_standing(connection: Connection, guild_id: int) -> Standing:
    """Return how a guild is watched; one that nobody told of is not."""
    known = connection.execute(_STANDING, (guild_id,)).fetchone()
    if known is None:
        return Standing()
    return Standing(known[0], known[1], bool(known[2]), known[3])


def read_session(row: Row) -> Session:
    """Return the session of a row of ``OPEN_SESSIONS``."""
    session = Session(row[0], row[1], row[2], row[3], row[4], row[5])
    return replace(
        session,
        previous_at=row[6],
        joined_slack_ms=row[7],
        via_channel_creation=bool(row[8]),
        bridged=bool(row[9]),
        gateway_session_id=row[10],
        roles=unpack_roles(row[11]),
    )


def _facts(row: Row) -> dict[str, Any]:
    names = ("name", "afk_channel_id", "connection", "confirmed_at", "lost_at", "present", "own_user_id")
    facts = dict(zip(names, row, strict=True))
    return facts | {"present": bool(facts["present"])}


def _latest(departures: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Keep each user's last departure, in order of leaving."""
    left: dict[int, int] = {}
    for user_id, at in departures:
        left.pop(user_id, None)
        left[user_id] = at
    return left
