"""A journal taken again by a fresh engine on an empty ledger, and ledgers compared row by row."""

import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from engine.actors.engine import Engine, EngineSettings
from engine.domain.inputs import GuildSnapshot, Heartbeat, Input
from engine.domain.partition import START
from engine.domain.rules import Rules
from engine.storage.journal import RedisJournal, stream_key
from engine.storage.ledger import SqlLedger
from engine.storage.live import RedisLiveState
from engine.storage.models import TABLES
from engine.storage.outbox import OutboxSender
from engine.storage.protocols import Record, Stores
from engine.storage.redis_client import connect
from tests.daemon.truth import Row, Window
from tests.waiting import until

ALL = 1_000_000


class Recording(NamedTuple):
    """A running server that holds a journal, and the ledger that a daemon made of it."""

    url: str
    database: Path
    rules: Rules = Rules()

    @property
    def records(self) -> list[Record]:
        with closing(RedisJournal(self.url, 0)) as journal:
            return journal.read(START, ALL, 0)


def tables_of(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of a ledger, every column, in the order of their values."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        names = [table._meta.table_name for table in TABLES]
        return {
            name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr) for name in names
        }


def differences(one: dict[str, list[tuple[Any, ...]]], other: dict[str, list[tuple[Any, ...]]]) -> list[str]:
    """Say which rows only one of two ledgers has."""
    told = []
    for name, rows in one.items():
        told += [f"{name}: only the first has {row}" for row in set(rows) - set(other[name])]
        told += [f"{name}: only the second has {row}" for row in set(other[name]) - set(rows)]
    return told


def cursor_of(database: Path) -> str:
    """Return up to where a ledger has taken the journal of partition 0."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        (cursor,) = connection.execute('SELECT cursor FROM "partition" WHERE number = 0').fetchone()
    return str(cursor)


def recording_of(daemon: Any, server: Any) -> Recording:
    """Copy a stopped daemon's journal to a server, as far as its ledger has taken it."""
    shutil.copytree(daemon.config.data_dir / "redis", server.embedded.dir)
    server.start()
    cut_after(server.url, cursor_of(daemon.config.database))
    return Recording(server.url, daemon.config.database, daemon.config.rules)


def cut_after(url: str, cursor: str) -> None:
    """Remove the entries after ``cursor``, so that a replay ends where the ledger stands."""
    with connect(url) as client:
        key = stream_key(0)
        if later := [journal_id for journal_id, _ in client.xrange(key, f"({cursor}", "+")]:
            client.xdel(key, *later)


@contextmanager
def stores_at(url: str, database: Path) -> Iterator[Stores]:
    """Open the storage of partition 0."""
    stores = Stores(RedisJournal(url, 0), SqlLedger(database, 0), RedisLiveState(url, 0), OutboxSender(url))
    try:
        yield stores
    finally:
        for it in (stores.journal, stores.ledger, stores.live, stores.outbox):
            it.close()


def replay(recording: Recording, database: Path, batch_max_entries: int = 500) -> Path:
    """Take the whole journal without any interruption; return the ledger."""
    last_id = recording.records[-1].journal_id
    with stores_at(recording.url, database) as stores:
        run_engine(stores, recording.rules, last_id, batch_max_entries)
    return database


def run_engine(stores: Stores, rules: Rules, last_id: str, batch_max_entries: int = 500) -> None:
    """Run an engine up to the journal's entry ``last_id``."""
    engine = Engine(EngineSettings(batch_max_entries=batch_max_entries), [stores], rules)
    engine.start()

    def reached() -> bool:
        assert not engine.failed.is_set(), engine.reason
        return last_id in (engine.inside[0].committer.cursor, cursor(stores))

    try:
        until(reached, f"the journal's end {last_id}")
    finally:
        engine.stop()


def cursor(stores: Stores) -> str:
    return stores.ledger.load_partition().cursor


def inputs(records: Iterable[Record]) -> Iterator[Input]:
    """Yield what the records say; all of them must be readable."""
    for record in records:
        assert record.entry is not None, record.error
        yield record.entry.input


def watched(records: Iterable[Record]) -> list[Window]:
    """Return when the ingest was connected, as the journal tells: from a snapshot to the last sign of life.

    Of one shard. What a RESUME replayed was missed by nobody.
    """
    windows: list[Window] = []
    name = ""
    for it in inputs(records):
        if isinstance(it, GuildSnapshot) and it.connection != name:
            name = it.connection
            windows.append(Window(it.at, it.at))
        elif isinstance(it, Heartbeat):
            alive_at = next((beat.alive_at for beat in it.shards if beat.connection == name), 0)
            if windows and alive_at > windows[-1].end:
                windows[-1] = Window(windows[-1].start, alive_at)
    return windows


def gaps(records: Iterable[Record]) -> dict[int, list[Window]]:
    """Return when each guild was not watched: from a connection's last sign of life to the next snapshot."""
    found: dict[int, list[Window]] = {}
    alive: dict[str, int] = {}
    confirmed: dict[int, str] = {}
    for it in inputs(records):
        if isinstance(it, Heartbeat):
            alive |= {beat.connection: beat.alive_at for beat in it.shards}
        elif isinstance(it, GuildSnapshot):
            before = confirmed.get(it.guild_id, it.connection)
            if before != it.connection:
                found.setdefault(it.guild_id, []).append(Window(alive[before], it.at))
            confirmed[it.guild_id] = it.connection
    return found


def begun_since(rows: Iterable[Row], records: Iterable[Record]) -> list[Row]:
    """Return the sessions that began after their guild was first seen: where they began is no guess."""
    first_seen: dict[int, int] = {}
    for it in inputs(records):
        if isinstance(it, GuildSnapshot):
            first_seen.setdefault(it.guild_id, it.at)
    return [row for row in rows if row.joined_at > first_seen[row.guild_id]]


def outside_gaps(rows: Iterable[Row], records: Iterable[Record], stalls: Iterable[Window] = ()) -> list[str]:
    """Tell of each boundary with a slack that does not lie in a time when nobody watched.

    ``stalls``: when the ingest was connected, but stopped.
    """
    rows, away = list(rows), gaps(records)
    later = begun_since(rows, records)
    boundaries = [
        (row, Window(row.joined_at - row.joined_slack_ms, row.joined_at))
        for row in later
        if row.joined_slack_ms
    ]
    boundaries += [
        (row, Window(row.left_at, row.left_at + row.left_slack_ms)) for row in rows if row.left_slack_ms
    ]
    return [
        f"{window} of {row} lies in no gap"
        for row, window in boundaries
        if not any(
            gap.start <= window.start and window.end <= gap.end
            for gap in [*away.get(row.guild_id, []), *stalls]
        )
    ]
