"""The ledger and its mirror side by side, compared a portion at a time.

Called by the thread that commits and mirrors, between two commits: then both stand at the same cursor, and a
portion is compared exactly, though the next one may be at another cursor.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from sqlite3 import Connection

import msgspec.json
from peewee import SqliteDatabase

from engine.domain.event_views import event_json
from engine.domain.events import Event, EventStatus
from engine.domain.ids import partition_of
from engine.domain.participation import attendees
from engine.storage.attendance_rows import find_attendance
from engine.storage.database import driver, faults, open_readonly
from engine.storage.event_rows import find_event, find_open_events
from engine.storage.guild_rows import OPEN_SESSIONS, read_session
from engine.storage.live import RedisLiveState, guild_key, live_value
from engine.storage.live_events import INDEX, active_key, users_key
from engine.storage.redis_client import away_as_connection_error, connect

# What a mirror can be wrong about, each a count of sessions or events.
MISSING, STALE, OTHER, EVENTS = "live_missing", "live_stale", "live_other", "live_events"

_NEXT_GUILDS = """
    SELECT DISTINCT guild_id FROM session WHERE left_at IS NULL AND guild_id > ? ORDER BY guild_id LIMIT ?
"""
_OPEN = """
    SELECT guild_id, count(*) FROM session
    WHERE guild_id IN (SELECT guild_id FROM guild WHERE {wanted}) AND left_at IS NULL GROUP BY guild_id
"""

Values = Mapping[int, Mapping[int, bytes]]  # of the live state, by guild and user
# Of how many guilds, sessions and events, and how many differ, by kind.
Portion = tuple[int, int, int, Counter[str]]


class Comparison:
    """One of ``partitions`` partitions, as ``actors.reconciling`` asks for it.

    Every method raises ``ConnectionError`` or ``StorageError`` where one of them cannot be read.
    """

    def __init__(self, path: Path, url: str, partition: int, partitions: int = 1) -> None:
        self._path, self._url, self._partition, self._partitions = path, url, partition, partitions
        self._live = RedisLiveState(url, partition, partitions=partitions)
        self._client = connect(url)

    def cursor(self) -> str | None:
        """Return where the mirror stands."""
        return self._live.cursor()

    def portions(self, guilds: int) -> Iterator[Portion]:
        """Compare so many guilds at each step, then the events; what is read is read at that step."""
        with self._opened() as ledger:
            yield from self._of_ledger(ledger, guilds)
            yield from self._of_mirror(ledger, guilds)
            yield from self._of_events(ledger)

    def unwatched(self, connected: Collection[str]) -> tuple[dict[int, int], dict[int, int]]:
        """Count by guild the open sessions that nothing stands for.

        Those of guilds that no snapshot of a ``connected`` connection confirmed; of guilds without the bot.
        """
        marks = ", ".join("?" * len(connected))
        confirmed = f"present AND (connection IS NULL OR connection NOT IN ({marks}))"
        with self._opened() as ledger, self._snapshot(ledger) as connection:
            unconfirmed = connection.execute(_OPEN.format(wanted=confirmed), [*connected]).fetchall()
            lost = connection.execute(_OPEN.format(wanted="NOT present")).fetchall()
        return self._mine(unconfirmed), self._mine(lost)

    def close(self) -> None:
        """Close the connections to Redis."""
        self._live.close()
        self._client.close()

    def _of_ledger(self, ledger: SqliteDatabase, guilds: int) -> Iterator[Portion]:
        after = -1
        while True:
            with self._snapshot(ledger) as connection:
                found = [it for (it,) in connection.execute(_NEXT_GUILDS, (after, guilds))]
                mine = {it: _values(connection, it) for it in found if self._has(it)}
            if not found:
                return
            after = found[-1]
            yield self._compared(mine)

    def _of_mirror(self, ledger: SqliteDatabase, guilds: int) -> Iterator[Portion]:
        """Look at what the mirror holds of guilds in which, by the ledger, nobody is."""
        there = iter(self._live.guilds())
        while chunk := list(islice(there, guilds)):
            with self._snapshot(ledger) as connection:
                empty: Values = {it: {} for it in chunk if not _values(connection, it)}
            yield self._compared(empty)

    def _of_events(self, ledger: SqliteDatabase) -> Iterator[Portion]:
        with self._snapshot(ledger) as connection:
            opened = {it.event_id for it in find_open_events(connection) if self._has(it.guild_id)}
        with away_as_connection_error(self._url):
            pairs = self._client.hscan_iter(INDEX, count=1_000)
            indexed = {int(it): int(of) for it, of in pairs if it.isdigit() and of.isdigit()}
        mine = {it for it, guild_id in indexed.items() if self._has(guild_id)}
        for event_id in sorted(opened | mine):
            with self._snapshot(ledger) as connection:
                event = find_event(connection, event_id)
                if event is None or event.status is not EventStatus.ACTIVE:
                    event, users = None, set[int]()
                else:
                    found = find_attendance(connection, event)
                    users = set(attendees(event, found.stays, found.participants))
            yield self._compared_event(event_id, event, users)

    def _compared(self, wanted: Values) -> Portion:
        with away_as_connection_error(self._url), self._client.pipeline(transaction=False) as pipeline:
            for guild_id in wanted:
                pipeline.hgetall(guild_key(guild_id))
            found = pipeline.execute(raise_on_error=False)
        counts: Counter[str] = Counter()
        for values, there in zip(wanted.values(), found, strict=True):
            _compare(values, there if isinstance(there, dict) else {b"": b""}, counts)
        return len(wanted), sum(map(len, wanted.values())), 0, +counts

    def _compared_event(self, event_id: int, event: Event | None, users: set[int]) -> Portion:
        with away_as_connection_error(self._url), self._client.pipeline(transaction=False) as pipeline:
            keys = [] if event is None else _event_keys(event)
            for key in keys:
                pipeline.hget(key, str(event_id))
            pipeline.smembers(users_key(event_id))
            pipeline.hexists(INDEX, str(event_id))
            *shown, members, indexed = pipeline.execute(raise_on_error=False)
        told = None if event is None else msgspec.json.encode(event_json(event))
        same = all(it == told for it in shown) and members == {str(it).encode() for it in users}
        same &= bool(indexed) == (event is not None)
        return 0, 0, 1, Counter() if same else Counter({EVENTS: 1})

    def _mine(self, counts: list[tuple[int, int]]) -> dict[int, int]:
        return {guild_id: count for guild_id, count in counts if self._has(guild_id)}

    def _has(self, guild_id: int) -> bool:
        return partition_of(guild_id, self._partitions) == self._partition

    @contextmanager
    def _opened(self) -> Iterator[SqliteDatabase]:
        with closing(open_readonly(self._path)) as ledger:
            yield ledger

    @contextmanager
    def _snapshot(self, ledger: SqliteDatabase) -> Iterator[Connection]:
        with faults(self._path):
            connection = driver(ledger)
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")


def _values(connection: Connection, guild_id: int) -> dict[int, bytes]:
    rows = connection.execute(OPEN_SESSIONS, (guild_id,))
    return {row[0]: live_value(read_session(row)) for row in rows}


def _event_keys(event: Event) -> list[str]:
    return [active_key(event.guild_id), *(active_key(event.guild_id, it) for it in event.channel_ids)]


def _compare(values: Mapping[int, bytes], there: Mapping[bytes, bytes], counts: Counter[str]) -> None:
    wanted = {str(user_id).encode(): value for user_id, value in values.items()}
    counts[MISSING] += len(wanted.keys() - there.keys())
    counts[STALE] += len(there.keys() - wanted.keys())
    counts[OTHER] += sum(there[it] != wanted[it] for it in wanted.keys() & there.keys())
