"""What becomes of a person's rows when they are forgotten (``effects.ForgetMember``), in one transaction.

What no event reads is removed. The rest stays under a pseudonym, so that an event's totals, peaks and later
scores stay true: a number below 0, the next one in the partition's rows, so that a replay finds the same.
"""

from collections.abc import Iterable, Iterator, Mapping
from sqlite3 import Connection
from typing import Any, NamedTuple

import msgspec.json
from msgspec.structs import replace

from engine.domain.attendance import Stay
from engine.domain.effects import ForgetMember, Status
from engine.domain.forgetting import read_by_events, tells_of
from engine.domain.ids import next_pseudonym, partition_of, person
from engine.storage.event_rows import find_begun_events
from engine.storage.journal import CorruptEntry, decode
from engine.storage.rows import Row, pack_roles, unpack_roles

# What is counted, as HTTP names it.
COUNTED = (
    "sessions",
    "spans",
    "anonymizedSessions",
    "anonymizedSpans",
    "participants",
    "badges",
    "deliveries",
    "names",
    "deadLetters",
)

# The guilds with sessions, found by jumping from one to the next in the key.
_EVERY_GUILD = """
    WITH RECURSIVE every(id) AS (SELECT min(guild_id) FROM session UNION ALL
        SELECT (SELECT min(guild_id) FROM session WHERE guild_id > id) FROM every WHERE id IS NOT NULL)
"""
_GUILDS_OF = f"""
    {_EVERY_GUILD}
    SELECT id FROM every WHERE EXISTS (SELECT 1 FROM session WHERE guild_id = id AND user_id = :user_id)
    UNION SELECT guild_id FROM participant WHERE user_id = :user_id
    UNION SELECT guild_id FROM badge WHERE user_id = :user_id
    UNION SELECT guild_id FROM member WHERE user_id = :user_id
"""  # noqa: S608 - a constant
_LOWEST = f"""
    {_EVERY_GUILD}
    SELECT id, (SELECT min(user_id) FROM session WHERE guild_id = id) FROM every WHERE id IS NOT NULL
    UNION ALL SELECT guild_id, min(user_id) FROM participant WHERE user_id < 0 GROUP BY guild_id
    UNION ALL SELECT guild_id, min(user_id) FROM badge WHERE user_id < 0 GROUP BY guild_id
"""  # noqa: S608 - a constant
_SESSIONS = """
    SELECT joined_at, channel_id, joined_slack_ms, left_at, left_slack_ms, status, span_at, flags, chain_at,
        roles
    FROM session WHERE guild_id = ? AND user_id = ? ORDER BY joined_at
"""
_SPANS = "SELECT joined_at, started_at, ended_at, roles FROM span WHERE guild_id = ? AND user_id = ?"
_KEEP_SESSION = """
    UPDATE session SET user_id = ?, left_at = ?, status = ?, chain_at = ?, previous_at = ?,
        gateway_session_id = NULL, roles = ?, updated_at = ?
    WHERE guild_id = ? AND user_id = ? AND joined_at = ?
"""
_KEEP_SPAN = """
    UPDATE span SET user_id = ?, roles = ?
    WHERE guild_id = ? AND user_id = ? AND joined_at = ? AND started_at = ? AND ended_at = ?
"""
_KEEP_LINK = "UPDATE eventsession SET user_id = ? WHERE guild_id = ? AND user_id = ? AND joined_at = ?"
_KEEP_PARTICIPANT = "UPDATE participant SET user_id = ? WHERE user_id = ? AND guild_id = ?"
_KEEP_BADGE = "UPDATE badge SET user_id = ?, outbox_id = ? WHERE event_id = ? AND user_id = ?"
_BADGES = """
    SELECT event_id, outbox.outbox_id, status, payload, detail
    FROM badge LEFT JOIN outbox ON outbox.outbox_id = badge.outbox_id
    WHERE user_id = ? AND badge.guild_id = ?
"""
_KEEP_DELIVERY = "UPDATE outbox SET outbox_id = ?, payload = ?, detail = ? WHERE outbox_id = ?"
_LETTERS = 'SELECT journal_id, raw, reason FROM deadletter WHERE "partition" = ?'
# What an exception said may hold an id; that the actor is quarantined stays true.
_BLOT_QUARANTINES = """
    UPDATE quarantine SET reason = 'told of somebody who is forgotten'
    WHERE "partition" = ? AND instr(reason, ?)
"""
_QUARANTINES = 'SELECT count(*) FROM quarantine WHERE "partition" = ? AND instr(reason, ?)'

Counts = dict[str, int]


class Share(NamedTuple):
    """Which part of the ledger is a partition's."""

    partition: int
    partitions: int

    def has(self, guild_id: int) -> bool:
        """Say whether a guild is the partition's."""
        return partition_of(guild_id, self.partitions) == self.partition


def guilds_of(connection: Connection, user_id: int) -> list[int]:
    """Return the guilds in which something is known of a person, in order of their ids."""
    return sorted(guild_id for (guild_id,) in connection.execute(_GUILDS_OF, {"user_id": user_id}))


def forget_member(connection: Connection, it: ForgetMember, mine: Share) -> Counts:
    """Forget a person in a partition's rows; return how many rows were removed or changed."""
    counts = dict.fromkeys(COUNTED, 0)
    guilds = [guild_id for guild_id in guilds_of(connection, it.user_id) if mine.has(guild_id)]
    pseudonym = _next_pseudonym(connection, mine) if guilds else 0
    for guild_id in guilds:
        _Guild(connection, guild_id, it, pseudonym, counts).forget()
    counts["deadLetters"] = _drop_letters(connection, it.user_id, mine.partition)
    return counts


def is_known(connection: Connection, user_id: int, partition: int) -> bool:
    """Say whether there is anything of a person that a partition would remove or rename to forget them.

    What other partitions have of their sessions, names and results counts, too.
    """
    if guilds_of(connection, user_id) or _letters_about(connection, user_id, partition):
        return True
    (count,) = connection.execute(_QUARANTINES, (partition, str(user_id))).fetchone()
    return bool(count)


def find_forgotten(connection: Connection, partition: int) -> dict[int, int]:
    """Return who is forgotten, and up to when."""
    rows = connection.execute('SELECT user_id, at FROM forgotten WHERE "partition" = ?', (partition,))
    return dict(rows.fetchall())


def write_forgotten(connection: Connection, partition: int, forgotten: Mapping[int, int]) -> None:
    """Write who is forgotten, and nobody else."""
    connection.execute('DELETE FROM forgotten WHERE "partition" = ?', (partition,))
    rows = [(partition, user_id, at) for user_id, at in forgotten.items()]
    connection.executemany('INSERT INTO forgotten ("partition", user_id, at) VALUES (?, ?, ?)', rows)


def _next_pseudonym(connection: Connection, mine: Share) -> int:
    lowest = (user_id for guild_id, user_id in connection.execute(_LOWEST) if mine.has(guild_id))
    return next_pseudonym(min(0, min(lowest, default=0)), *mine)


def _letters_about(connection: Connection, user_id: int, partition: int) -> list[tuple[int, str]]:
    return [
        (partition, journal_id)
        for journal_id, raw, reason in connection.execute(_LETTERS, (partition,))
        if str(user_id) in reason or _tells_of(raw, user_id)
    ]


def _drop_letters(connection: Connection, user_id: int, partition: int) -> int:
    gone = _letters_about(connection, user_id, partition)
    connection.executemany('DELETE FROM deadletter WHERE "partition" = ? AND journal_id = ?', gone)
    connection.execute(_BLOT_QUARANTINES, (partition, str(user_id)))
    return len(gone)


def _tells_of(raw: bytes, user_id: int) -> bool:
    try:
        entry = decode(raw)
    except CorruptEntry:
        entry = None
    return tells_of(entry, raw, user_id)


class _Session(NamedTuple):
    """A session, closed."""

    stay: Stay
    status: int
    chain_at: int


class _Guild:
    """What one guild's rows know of the person."""

    def __init__(
        self, connection: Connection, guild_id: int, it: ForgetMember, pseudonym: int, counts: Counts
    ) -> None:
        self._connection, self._counts = connection, counts
        self._it, self._pseudonym = it, pseudonym
        self._mine = guild_id, it.user_id

    def forget(self) -> None:
        """Remove and rename."""
        closed = (_closed(row, self._it) for row in self._rows(_SESSIONS))
        sessions = [it for it in closed if it is not None]
        events = find_begun_events(self._connection, self._mine[0])
        kept = read_by_events([it.stay for it in sessions], events)
        self._keep_spans(kept)
        self._keep_sessions([it for it in sessions if it.stay.joined_at in kept], kept)
        self._counts["spans"] += self._drop("span")
        self._counts["sessions"] += self._drop("session")
        self._drop("eventsession")
        self._counts["names"] += self._drop("member")
        self._keep_badges()
        named = (self._pseudonym, self._it.user_id, self._mine[0])
        self._counts["participants"] += self._connection.execute(_KEEP_PARTICIPANT, named).rowcount

    def _rows(self, sql: str) -> Iterator[Row]:
        return self._connection.execute(sql, self._mine)

    def _drop(self, table: str) -> int:
        """Remove what has not been renamed."""
        sql = f"DELETE FROM {table} WHERE guild_id = ? AND user_id = ?"  # noqa: S608 - a table of ours
        return self._connection.execute(sql, self._mine).rowcount

    def _keep_sessions(self, sessions: list[_Session], kept: Mapping[int, frozenset[int]]) -> None:
        rows = []
        ends: dict[int, tuple[int, int]] = {}  # by chain: the first and the last session of it that stays
        for stay, status, chain_at in sessions:
            first, previous = ends.get(chain_at, (stay.joined_at, None))
            ends[chain_at] = first, stay.joined_at
            roles = _required(stay.roles, kept[stay.joined_at])
            key = (*self._mine, stay.joined_at)
            rows.append((self._pseudonym, stay.left_at, status, first, previous, roles, self._it.at, *key))
        self._connection.executemany(_KEEP_SESSION, rows)
        links = [(self._pseudonym, *self._mine, joined_at) for joined_at in kept]
        self._connection.executemany(_KEEP_LINK, links)
        self._counts["anonymizedSessions"] += len(rows)

    def _keep_spans(self, kept: Mapping[int, frozenset[int]]) -> None:
        rows = [
            (self._pseudonym, _required(unpack_roles(roles), kept[key[0]]), *self._mine, *key)
            for *key, roles in self._rows(_SPANS)
            if key[0] in kept
        ]
        self._connection.executemany(_KEEP_SPAN, rows)
        self._counts["anonymizedSpans"] += len(rows)

    def _keep_badges(self) -> None:
        """Have no badge delivered any more, and no delivery name its member."""
        guild_id, user_id = self._mine
        for event_id, *delivery in self._connection.execute(_BADGES, (user_id, guild_id)).fetchall():
            outbox_id = self._keep_delivery(event_id, *delivery) if delivery[0] is not None else None
            self._connection.execute(_KEEP_BADGE, (self._pseudonym, outbox_id, event_id, user_id))
            self._counts["badges"] += 1

    def _keep_delivery(
        self, event_id: int, outbox_id: str, status: str, payload: str, detail: str
    ) -> str | None:
        self._counts["deliveries"] += 1
        if status == "pending":
            self._connection.execute("DELETE FROM outbox WHERE outbox_id = ?", (outbox_id,))
            return None
        name = person(self._pseudonym)
        renamed = f"badge-{event_id}-{name}"
        changed = _renamed(payload, self._pseudonym, renamed)
        detail = detail.replace(str(self._it.user_id), name)
        self._connection.execute(_KEEP_DELIVERY, (renamed, changed, detail, outbox_id))
        return renamed


def _closed(row: Row, it: ForgetMember) -> _Session | None:
    """Read a session. An open one ends where the person is forgotten, but not before its last boundary.

    None of one that is then too short.
    """
    joined_at, channel_id, joined_slack_ms, left_at, *rest = row
    left_slack_ms, status, span_at, flags, chain_at, roles = rest
    if left_at is None:
        left_at, status = max(it.at, span_at), Status.COMPLETED.value
        if left_at - joined_at + joined_slack_ms < it.min_session_ms:
            return None
    stay = Stay(it.user_id, channel_id, joined_at, span_at, flags, unpack_roles(roles))
    slacks = {"joined_slack_ms": joined_slack_ms, "left_slack_ms": left_slack_ms}
    return _Session(replace(stay, left_at=left_at, **slacks), status, chain_at)


def _required(roles: Iterable[int], required: frozenset[int]) -> bytearray | None:
    return pack_roles(tuple(role_id for role_id in roles if role_id in required))


def _renamed(payload: str, pseudonym: int, outbox_id: str) -> str:
    """Return a delivery's payload with nobody's id in it."""
    known: dict[str, Any] = msgspec.json.decode(payload)
    names = {"user_id": pseudonym, "userId": person(pseudonym), "outbox_id": outbox_id}
    known |= {key: value for key, value in names.items() if key in known}
    return msgspec.json.encode(known).decode()
