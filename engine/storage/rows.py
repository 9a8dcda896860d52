"""Rows on their way into SQL and back: many at a statement, and role ids in a blob."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from sqlite3 import Connection
from typing import Any, TypeAlias

Row: TypeAlias = tuple[Any, ...]

# Rows of one statement. The driver gives the interpreter away and takes it back at each statement, which
# beside other busy threads costs more than the row; 32,766 parameters is SQLite's bound.
ROWS_PER_STATEMENT = 128

_ROLE_BYTES = 8
_by_key = itemgetter(0, 1, 2)


def write_rows(connection: Connection, sql: str, rows: Iterable[Row]) -> None:
    """Run ``sql`` over all rows, whose first three columns begin with their key.

    In order of it, since neighbours share their pages; of two rows under one key the later stays the later.
    """
    for statement in statements(sql, sorted(rows, key=_by_key)):
        connection.execute(*statement)


def statements(sql: str, rows: Sequence[Row]) -> Iterator[tuple[str, list[Any]]]:
    """Yield ``sql`` with many rows for its ``{rows}``, and their values, until all rows are in."""
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        part = rows[start : start + ROWS_PER_STATEMENT]
        yield _statement(sql, len(part), len(part[0])), list(chain.from_iterable(part))


@lru_cache(maxsize=8 * ROWS_PER_STATEMENT)
def _statement(sql: str, rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return sql.format(rows=", ".join([row] * rows))


@lru_cache(maxsize=4096)  # members of a guild hold few different sets of roles
def pack_roles(roles: tuple[int, ...]) -> bytearray | None:
    """Return role ids as a column holds them: little-endian, signed, 64 bit each; None for none."""
    # No bytes, for which the driver would look up an adapter.
    return bytearray(struct.pack(f"<{len(roles)}q", *roles)) if roles else None


@lru_cache(maxsize=4096)
def unpack_roles(packed: bytes | None) -> tuple[int, ...]:
    """Return the role ids of a column."""
    return struct.unpack(f"<{len(packed) // _ROLE_BYTES}q", packed) if packed else ()
