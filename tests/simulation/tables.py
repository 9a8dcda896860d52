"""All rows of a ledger, and how two ledgers, or a ledger and a live state, differ."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from engine.actors.aftermath import active_events
from engine.storage.ledger import SqlLedger
from engine.storage.models import TABLES
from tests.simulation.server import Server

Rows = list[tuple[Any, ...]]
Tables = dict[str, Rows]

# Where a batch began and where an entry stands in the journal is no fact about anybody: what was appended
# twice moves it.
_BESIDE = {"partition": {"cursor"}, "deadletter": {"journal_id", "at"}}


def tables_of(database: Path) -> Tables:
    """Return every row of every table, in order."""
    with closing(sqlite3.connect(database)) as connection:
        return {name: rows_of(connection, name, columns) for name, columns in _columns().items()}


def select(database: Path, table: str, columns: Sequence[str]) -> Rows:
    """Return some columns of a table's rows, in order."""
    with closing(sqlite3.connect(database)) as connection:
        return rows_of(connection, table, columns)


def rows_of(connection: sqlite3.Connection, table: str, columns: Sequence[str]) -> Rows:
    found = connection.execute(f'SELECT {", ".join(columns)} FROM "{table}"').fetchall()
    return sorted(found, key=repr)


def _columns() -> dict[str, list[str]]:
    tables = {it._meta.table_name: [field.column_name for field in it._meta.sorted_fields] for it in TABLES}
    return {
        name: [f'"{it}"' for it in columns if it not in _BESIDE.get(name, ())]
        for name, columns in tables.items()
    }


def count(tables: Tables) -> int:
    return sum(map(len, tables.values()))


def differences(found: Tables, expected: Tables) -> list[str]:
    """Say which rows are missing, and which should not be there, be it because they are there twice."""
    told = []
    for name, rows in expected.items():
        left = list(found[name])
        for row in rows:
            if row in left:
                left.remove(row)
            else:
                told.append(f"{name}: missing {row}")
        told += [f"{name}: unexpected {row}" for row in left]
    return told


def mirror_differences(server: Server, ledger: SqlLedger) -> list[str]:
    """Say where the live state is not the ledger's."""
    live = server.holds.live
    values = {
        (guild_id, user_id): value
        for guild_id, sessions in ledger.open_sessions()
        for user_id, value in sessions
    }
    active = {event.event_id: {it.user_id: it for it in people} for event, people in active_events(ledger)}
    told = [] if live.values == values else [f"live: {live.values} instead of {values}"]
    return told + ([] if live.active == active else [f"live events: {live.active} instead of {active}"])
