"""The ledger on SQLite: one transaction for a batch's effects and the cursor that says they took effect."""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec.json
from msgspec.structs import replace
from peewee import SqliteDatabase

from engine.domain.effects import PostMessage
from engine.domain.gateway import Connection
from engine.domain.guild import GuildState
from engine.domain.ids import partition_of
from engine.domain.partition import START, PartitionState
from engine.domain.rules import CREATION_MEMORY_MS, MEMORY_MS
from engine.domain.sessions import Session
from engine.storage.batch import Batch
from engine.storage.database import driver, faults, open_database, open_readonly
from engine.storage.live import live_value
from engine.storage.protocols import Commit, StorageError

# A writer's life that has been silent for so long sends nothing again.
SOURCE_MEMORY_MS = 7 * 24 * 3_600_000
SOURCES_KEPT = 2
PRUNE_EVERY_MS = 3_600_000

_OPEN_SESSIONS = """
    SELECT user_id, channel_id, joined_at, flags, span_at, chain_at, previous_at, joined_slack_ms,
        via_channel_creation, bridged, gateway_session_id
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
_PRESENT = "SELECT guild_id FROM guild WHERE present ORDER BY guild_id"
_NEXT_GUILD = "SELECT min(guild_id) FROM session WHERE guild_id > ?"
_STANDS = 'SELECT cursor, now FROM "partition" WHERE number = ?'
_SOURCES = 'SELECT source, seq, at FROM source WHERE "partition" = ? ORDER BY at'
_CONNECTIONS = """
    SELECT name, shard_id, alive_at, connected FROM connection WHERE "partition" = ? ORDER BY position
"""
_FIRST_CURSOR = 'INSERT OR IGNORE INTO "partition" (number, cursor, now) VALUES (?, ?, 0)'
_MOVE_CURSOR = 'UPDATE "partition" SET cursor = ?, now = ? WHERE number = ? AND cursor = ?'
_SAVE_SOURCE = 'INSERT OR REPLACE INTO source ("partition", source, seq, at) VALUES (?, ?, ?, ?)'
_PRUNE_SOURCES = """
    DELETE FROM source WHERE "partition" = ? AND at < ? AND source NOT IN
        (SELECT source FROM source WHERE "partition" = ? ORDER BY at DESC LIMIT ?)
"""
_SAVE_CONNECTION = """
    INSERT INTO connection ("partition", position, name, shard_id, alive_at, connected)
    VALUES (?, ?, ?, ?, ?, ?)
"""
_SAVE_DEAD_LETTER = """
    INSERT OR REPLACE INTO deadletter ("partition", journal_id, guild_id, raw, reason, at)
    VALUES (?, ?, ?, ?, ?, ?)
"""


class SqlLedger:
    """``protocols.Ledger`` for one of ``partitions`` partitions, on a SQLite file.

    Two connections: what is asked of a guild need not wait for the commit under way. Either goes from thread
    to thread under its lock. Opening raises ``StorageError``; so does any method on a fault of the database.
    """

    def __init__(self, path: Path, partition: int, partitions: int = 1) -> None:
        self._path, self._partition, self._partitions = path, partition, partitions
        self._writing, self._reading = threading.Lock(), threading.Lock()
        self._prune_due_at = 0
        self._writer = open_database(path)
        self._reader = open_readonly(path)

    def close(self) -> None:
        """Close both connections; a commit under way ends first."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()  # last: the last to close copies the log into the file, if it can write

    def load_partition(self) -> PartitionState:
        """Return where the partition stands; at the journal's start if it never committed."""
        mine = (self._partition,)
        with self._snapshot() as connection:
            stands = connection.execute(_STANDS, mine).fetchone()
            sources = connection.execute(_SOURCES, mine).fetchall()
            connections = connection.execute(_CONNECTIONS, mine).fetchall()
        cursor, now = stands or (START, 0)
        return PartitionState(
            cursor=cursor,
            now=now,
            sources={source: (seq, at) for source, seq, at in sources},
            connections={name: Connection(shard, at, bool(up)) for name, shard, at, up in connections},
        )

    def load_guild(self, guild_id: int, now: int) -> GuildState:
        """Return a guild as of the last commit; one that nobody told of is empty."""
        with self._snapshot() as connection:
            known = connection.execute(_GUILD, (guild_id,)).fetchone()
            opened = connection.execute(_OPEN_SESSIONS, (guild_id,)).fetchall()
            departures = connection.execute(_LEFT, (guild_id, now - MEMORY_MS)).fetchall()
            created = connection.execute(_CREATED, (guild_id, now - CREATION_MEMORY_MS)).fetchall()
        sessions = {row[0]: _session(row) for row in opened}
        left = _latest(departures)
        state = GuildState(guild_id, sessions, left, dict(created))
        return state if known is None else replace(state, **_facts(known))

    def present_guilds(self) -> list[int]:
        """Return this partition's guilds that the bot is in, in order of their ids."""
        with self._snapshot() as connection:
            return [guild_id for (guild_id,) in connection.execute(_PRESENT) if self._mine(guild_id)]

    def commit(self, commit: Commit) -> None:
        """Write all of a commit or nothing; see ``protocols.Ledger.commit``."""
        batch = Batch(commit.effects)
        with self._writing, faults(self._path), _transaction(self._writer) as connection:
            if not self._move_cursor(connection, commit):
                return
            batch.write(connection)
            self._write_partition(connection, commit)

    def pending_outbox(self, limit: int) -> list[PostMessage]:
        """Return this partition's outbox effects without an outcome, oldest first."""
        with self._snapshot() as connection:
            rows = connection.execute(
                "SELECT guild_id, payload FROM outbox WHERE status = 'pending' ORDER BY created_at, rowid"
            )
            mine = (payload for guild_id, payload in rows if self._mine(guild_id))
            return [msgspec.json.decode(payload, type=PostMessage) for payload in islice(mine, limit)]

    def open_sessions(self) -> Iterator[tuple[int, Sequence[tuple[int, bytes]]]]:
        """Yield this partition's guilds with their open sessions, all as of one moment."""
        with faults(self._path), closing(open_readonly(self._path)) as database:
            connection = driver(database)
            connection.execute("BEGIN")
            # From guild to guild by the index: the history in between may be a hundred times as long.
            guild_id = _next_guild(connection, -1)
            while guild_id is not None:
                rows = connection.execute(_OPEN_SESSIONS, (guild_id,)).fetchall()
                if rows and self._mine(guild_id):
                    yield guild_id, [(row[0], live_value(_session(row))) for row in rows]
                guild_id = _next_guild(connection, guild_id)

    def _mine(self, guild_id: int) -> bool:
        return partition_of(guild_id, self._partitions) == self._partition

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """Give the reading connection: all that is read from it is of one moment."""
        with self._reading, faults(self._path):
            connection = driver(self._reader)
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    def _move_cursor(self, connection: sqlite3.Connection, commit: Commit) -> bool:
        """Return False if this very commit took effect before. Raises ``StorageError`` if another one did."""
        number, state = self._partition, commit.state
        connection.execute(_FIRST_CURSOR, (number, START))
        moved = connection.execute(_MOVE_CURSOR, (state.cursor, state.now, number, commit.before))
        if moved.rowcount:
            return True
        cursor, _ = connection.execute(_STANDS, (number,)).fetchone()
        if cursor == state.cursor:
            return False
        raise StorageError(
            f"{self._path}: partition {number} stands at {cursor} instead of {commit.before}: "
            "two engines write to it, stop one"
        )

    def _write_partition(self, connection: sqlite3.Connection, commit: Commit) -> None:
        number, state = self._partition, commit.state
        sources = [(number, name, *state.sources[name]) for name in commit.sources_changed]
        connection.executemany(_SAVE_SOURCE, sources)
        if state.now >= self._prune_due_at:
            self._prune_due_at = state.now + PRUNE_EVERY_MS
            connection.execute(_PRUNE_SOURCES, (number, state.now - SOURCE_MEMORY_MS, number, SOURCES_KEPT))
        if commit.connections_changed:
            connection.execute('DELETE FROM connection WHERE "partition" = ?', (number,))
            rows = [
                (number, position, name, it.shard_id, it.alive_at, it.connected)
                for position, (name, it) in enumerate(state.connections.items())
            ]
            connection.executemany(_SAVE_CONNECTION, rows)
        letters = [(number, *letter) for letter in commit.dead_letters]
        connection.executemany(_SAVE_DEAD_LETTER, letters)


@contextmanager
def _transaction(database: SqliteDatabase) -> Iterator[sqlite3.Connection]:
    """Give a connection that holds the write lock from the start; what fails leaves nothing."""
    connection = driver(database)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")


def _session(row: Sequence[Any]) -> Session:
    session = Session(row[0], row[1], row[2], row[3], row[4], row[5])
    return replace(
        session,
        previous_at=row[6],
        joined_slack_ms=row[7],
        via_channel_creation=bool(row[8]),
        bridged=bool(row[9]),
        gateway_session_id=row[10],
    )


def _facts(row: Sequence[Any]) -> dict[str, Any]:
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


def _next_guild(connection: sqlite3.Connection, guild_id: int) -> int | None:
    following: int | None = connection.execute(_NEXT_GUILD, (guild_id,)).fetchone()[0]
    return following
