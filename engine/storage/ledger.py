"""The ledger on SQLite: one transaction for a batch's effects and the cursor that says they took effect."""

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

import msgspec.json
from peewee import SqliteDatabase

from engine.domain.effects import GrantRole, PostMessage, ToDiscord
from engine.domain.events import Event
from engine.domain.gateway import Connection
from engine.domain.guild import GuildState
from engine.domain.lifecycle import Standing
from engine.domain.partition import START, PartitionState
from engine.domain.tracker_effects import DisconnectPlayer
from engine.domain.tracking import Subject, SubjectKind
from engine.storage.attendance_rows import find_attendance
from engine.storage.audit import Audit
from engine.storage.batch import Batch
from engine.storage.database import CACHE_KIB, driver, faults, open_database, open_readonly
from engine.storage.dead_letters import find_letters, find_quarantines, write_letters
from engine.storage.event_rows import find_event, find_open_events
from engine.storage.forgetting import Counts, Share, find_forgotten, forget_member, guilds_of, write_forgotten
from engine.storage.guild_rows import OPEN_SESSIONS, find_guild, find_standing, read_session
from engine.storage.live import live_value
from engine.storage.protocols import Attendance, Commit, Letter, Quarantine, StorageError
from engine.storage.retention import Pruning
from engine.storage.tracker_rows import find_players, find_subject, find_subjects
from engine.storage.wiping import wipe

# A writer's life that has been silent for so long sends nothing again.
SOURCE_MEMORY_MS = 7 * 24 * 3_600_000
SOURCES_KEPT = 2
PRUNE_EVERY_MS = 3_600_000

_PRESENT = "SELECT guild_id FROM guild WHERE present ORDER BY guild_id"
_NEXT_GUILD = "SELECT min(guild_id) FROM session WHERE guild_id > ?"
_STANDS = 'SELECT cursor, now FROM "partition" WHERE number = ?'
_SOURCES = 'SELECT source, seq, at FROM source WHERE "partition" = ? ORDER BY at'
_CONNECTIONS = """
    SELECT name, shard_id, alive_at, connected, doubted_at FROM connection
    WHERE "partition" = ? ORDER BY position
"""
# Of what waits in the outbox, the ingest is to do these; the rest is no business of Discord's.
_PENDING = """
    SELECT guild_id, kind, payload FROM outbox
    WHERE status = 'pending' AND kind IN ('message', 'role', 'disconnect') ORDER BY created_at, rowid
"""
_TO_DISCORD: dict[str, type[ToDiscord]] = {
    "message": PostMessage,
    "role": GrantRole,
    "disconnect": DisconnectPlayer,
}
_FIRST_CURSOR = 'INSERT OR IGNORE INTO "partition" (number, cursor, now) VALUES (?, ?, 0)'
_MOVE_CURSOR = 'UPDATE "partition" SET cursor = ?, now = ? WHERE number = ? AND cursor = ?'
_SAVE_SOURCE = 'INSERT OR REPLACE INTO source ("partition", source, seq, at) VALUES (?, ?, ?, ?)'
_PRUNE_SOURCES = """
    DELETE FROM source WHERE "partition" = ? AND at < ? AND source NOT IN
        (SELECT source FROM source WHERE "partition" = ? ORDER BY at DESC LIMIT ?)
"""
_SAVE_CONNECTION = """
    INSERT INTO connection ("partition", position, name, shard_id, alive_at, connected, doubted_at)
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""


class SqlLedger:
    """``protocols.Ledger`` for one of ``partitions`` partitions, on a SQLite file.

    Two connections: what is asked of a guild need not wait for the commit under way. Either goes from thread
    to thread under its lock. Opening raises ``StorageError``; so does any method on a fault of the database.
    """

    def __init__(
        self, path: Path, partition: int, partitions: int = 1, *, cache_kib: int = CACHE_KIB
    ) -> None:
        self._path, self._partition = path, partition
        self._writing, self._reading = threading.Lock(), threading.Lock()
        self._prune_due_at = 0
        self._writer = open_database(path, cache_kib=cache_kib)
        self._reader = open_readonly(path)
        self._mine = Share(partition, partitions)
        self._pruning = Pruning(self._mine)
        self._audits: list[Audit] = []  # guarded as the reading connection

    def close(self) -> None:
        """Close all connections; a commit under way ends first."""
        with self._writing, self._reading:
            for audit in self._audits:
                audit.close()
            self._reader.close()
            self._writer.close()  # last: the last to close copies the log into the file, if it can write

    def load_partition(self) -> PartitionState:
        """Return where the partition stands; at the journal's start if it never committed."""
        mine = (self._partition,)
        with self._snapshot() as connection:
            stands = connection.execute(_STANDS, mine).fetchone()
            sources = connection.execute(_SOURCES, mine).fetchall()
            connections = connection.execute(_CONNECTIONS, mine).fetchall()
            forgotten = find_forgotten(connection, self._partition)
        cursor, now = stands or (START, 0)
        return PartitionState(
            cursor=cursor,
            now=now,
            sources={source: (seq, at) for source, seq, at in sources},
            connections={name: Connection(no, at, bool(up), it) for name, no, at, up, it in connections},
            forgotten=forgotten,
        )

    def load_guild(self, guild_id: int, now: int) -> GuildState:
        """Return a guild as of the last commit; one that nobody told of is empty."""
        with self._snapshot() as connection:
            return find_guild(connection, guild_id, now)

    def present_guilds(self) -> list[int]:
        """Return this partition's guilds that the bot is in, in order of their ids."""
        with self._snapshot() as connection:
            return [guild_id for (guild_id,) in connection.execute(_PRESENT) if self._mine.has(guild_id)]

    def commit(self, commit: Commit) -> Counts:
        """Write all of a commit or nothing; see ``protocols.Ledger.commit``."""
        batch, counts = Batch(commit.effects), Counts()
        with self._writing, faults(self._path), _transaction(self._writer) as connection:
            if not self._move_cursor(connection, commit):
                return counts
            batch.write(connection)
            for it in batch.forgets:
                counts = forget_member(connection, it, self._mine)
            self._write_partition(connection, commit)
        return counts

    def guilds_of(self, user_id: int) -> list[int]:
        """Return this partition's guilds in which something is known of a person, in order of their ids."""
        with self._snapshot() as connection:
            return [guild_id for guild_id in guilds_of(connection, user_id) if self._mine.has(guild_id)]

    def dead_letters(self, actor: str) -> list[Letter]:
        """Return an actor's dead letters that were not retried, in the order of the journal."""
        with self._snapshot() as connection:
            return find_letters(connection, self._partition, actor)

    def quarantines(self) -> list[Quarantine]:
        """Return this partition's actors that are quarantined."""
        with self._snapshot() as connection:
            return find_quarantines(connection, self._partition)

    def wipe(self, forgotten: Iterable[int]) -> bool:
        """Leave nothing of these users in the ledger's files; see ``wiping.wipe``."""
        with self._writing, faults(self._path):
            return wipe(driver(self._writer), self._path, forgotten)

    def prune(self, before: int) -> bool:
        """Remove a portion of the sessions that ended before a moment; True while there may be more."""
        with self._writing, faults(self._path), _transaction(self._writer) as connection:
            return self._pruning.portion(connection, before)

    def pending_outbox(self, limit: int) -> list[ToDiscord]:
        """Return this partition's outbox effects upon Discord without an outcome, oldest first."""
        with self._snapshot() as connection:
            rows = connection.execute(_PENDING)
            mine = ((kind, payload) for guild_id, kind, payload in rows if self._mine.has(guild_id))
            return [
                # By its kind, not by the tag in it: the first release wrote none.
                msgspec.json.decode(payload, type=_TO_DISCORD[kind])
                for kind, payload in islice(mine, limit)
            ]

    def open_events(self) -> list[Event]:
        """Return this partition's events that are scheduled, active, or over and not settled."""
        with self._snapshot() as connection:
            return [it for it in find_open_events(connection) if self._mine.has(it.guild_id)]

    def load_event(self, event_id: int) -> Event | None:
        """Return one of this partition's events."""
        with self._snapshot() as connection:
            found = find_event(connection, event_id)
        return found if found is not None and self._mine.has(found.guild_id) else None

    def load_attendance(self, event: Event) -> Attendance:
        """Return what there is of an event's attendance; see ``protocols.Ledger.load_attendance``."""
        with self._snapshot() as connection:
            return find_attendance(connection, event)

    def load_subject(self, kind: SubjectKind, subject_id: int) -> Subject | None:
        """Return what trackers say of a player (by its guild) or an event."""
        with self._snapshot() as connection:
            return find_subject(connection, kind, subject_id)

    def subjects(self) -> list[tuple[int, Subject]]:
        """Return this partition's subjects, each with its guild."""
        with self._snapshot() as connection:
            return [it for it in find_subjects(connection) if self._mine.has(it[0])]

    def players(self) -> list[int]:
        """Return this partition's guilds that have a player, in order of their ids."""
        with self._snapshot() as connection:
            return [guild_id for guild_id in find_players(connection) if self._mine.has(guild_id)]

    def standing(self, guild_id: int) -> Standing:
        """Return how a guild is watched; one that nobody told of is not."""
        with self._snapshot() as connection:
            return find_standing(connection, guild_id)

    def audit(self, event_id: int) -> Callable[[], Attendance]:
        """Hold on to an event's attendance as of now; see ``audit.Audit``."""
        with self._reading:
            audit = Audit(self._path, event_id)
            self._audits = [*(it for it in self._audits if not it.closed), audit]
        return audit

    def open_sessions(self) -> Iterator[tuple[int, Sequence[tuple[int, bytes]]]]:
        """Yield this partition's guilds with their open sessions, all as of one moment."""
        with faults(self._path), closing(open_readonly(self._path)) as database:
            connection = driver(database)
            connection.execute("BEGIN")
            # From guild to guild by the index: the history in between may be a hundred times as long.
            guild_id = _next_guild(connection, -1)
            while guild_id is not None:
                rows = connection.execute(OPEN_SESSIONS, (guild_id,)).fetchall()
                if rows and self._mine.has(guild_id):
                    yield guild_id, [(row[0], live_value(read_session(row))) for row in rows]
                guild_id = _next_guild(connection, guild_id)

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
                (number, position, name, it.shard_id, it.alive_at, it.connected, it.doubted_at)
                for position, (name, it) in enumerate(state.connections.items())
            ]
            connection.executemany(_SAVE_CONNECTION, rows)
        if commit.forgotten_changed:
            write_forgotten(connection, number, state.forgotten)
        write_letters(connection, number, commit)


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


def _next_guild(connection: sqlite3.Connection, guild_id: int) -> int | None:
    following: int | None = connection.execute(_NEXT_GUILD, (guild_id,)).fetchone()[0]
    return following
