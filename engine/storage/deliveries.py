"""The badges and notices that the engine itself delivers, as the ledger's outbox has them."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import msgspec

from engine.domain.deliveries import NOTICE, Badge, Delivery, FailedDelivery, Item
from engine.domain.tracker_effects import NotifyExpiry
from engine.domain.views import EPOCH
from engine.storage.database import driver, faults, open_readonly

# `outbox_id`, `guild_id`, payload.
_Row: TypeAlias = tuple[str, int, str]

_PENDING = """
    SELECT outbox_id, guild_id, payload FROM outbox WHERE status = 'pending' AND kind = ?
    ORDER BY created_at, rowid LIMIT ?
"""
_COUNT = "SELECT count(*) FROM outbox WHERE status = 'pending' AND kind = ?"
_NAMES = "SELECT event_id, name FROM event WHERE event_id IN (SELECT value FROM json_each(?))"
_FAILED = """
    SELECT outbox.outbox_id, badge.event_id, event.name, badge.guild_id, badge.user_id, badge.awarded_at,
        badge.distributor, outbox.detail, outbox.settled_at
    FROM badge JOIN outbox ON outbox.outbox_id = badge.outbox_id
        LEFT JOIN event ON event.event_id = badge.event_id
    WHERE outbox.status = 'failed' ORDER BY outbox.settled_at DESC, outbox.outbox_id LIMIT ?
"""


class _Payload(msgspec.Struct, rename="camel"):
    """What a badge's row in the outbox says."""

    event_id: str
    user_id: str
    awarded_at: datetime


_decoder = msgspec.json.Decoder(_Payload)
_notice_decoder = msgspec.json.Decoder(NotifyExpiry)


class SqlDeliveries:
    """``badges.delivery.Deliveries`` on the ledger's file, beside its writer. Any thread may call.

    Every method raises ``StorageError`` where the ledger cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def pending(self, kind: str, limit: int) -> list[Delivery]:
        """Return up to ``limit`` deliveries of a kind without an outcome, oldest first."""
        with self._connection() as connection:
            rows: list[_Row] = connection.execute(_PENDING, (kind, limit)).fetchall()
            read = _notice if kind == NOTICE else _badge
            found = [_delivery(row, read) for row in rows]
            names = _names(connection, (it.item.event_id for it in found if isinstance(it.item, Badge)))
        return [_named(it, names) for it in found]

    def count(self, kind: str) -> int:
        """Return how many deliveries of a kind have no outcome."""
        with self._connection() as connection:
            (count,) = connection.execute(_COUNT, (kind,)).fetchone()
        return int(count)

    def failed(self, limit: int) -> list[FailedDelivery]:
        """Return badges whose delivery failed for good, of all kinds, the latest failure first."""
        with self._connection() as connection:
            rows: Sequence[tuple[str, int, str | None, int, int, int, str, str, int]]
            rows = connection.execute(_FAILED, (limit,)).fetchall()
        return [FailedDelivery(Badge(*row[:6]), *row[6:]) for row in rows]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        database = open_readonly(self._path)
        try:
            with faults(self._path):
                connection = driver(database)
                connection.execute("BEGIN")  # all that is read is of one moment
                yield connection
        finally:
            database.close()


def _delivery(row: _Row, read: Callable[[_Row], Item]) -> Delivery:
    outbox_id, guild_id, _ = row
    try:
        return Delivery(outbox_id, guild_id, read(row))
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        return Delivery(outbox_id, guild_id, None, f"the outbox's row cannot be read: {error}")


def _badge(row: _Row) -> Badge:
    badge_id, guild_id, payload = row
    it = _decoder.decode(payload)
    awarded_at = (it.awarded_at - EPOCH) // timedelta(milliseconds=1)
    return Badge(badge_id, int(it.event_id), None, guild_id, int(it.user_id), awarded_at)


def _notice(row: _Row) -> NotifyExpiry:
    return _notice_decoder.decode(row[-1])


def _names(connection: sqlite3.Connection, events: Iterable[int]) -> dict[int, str]:
    return dict(connection.execute(_NAMES, (msgspec.json.encode(sorted(set(events))).decode(),)))


def _named(it: Delivery, names: dict[int, str]) -> Delivery:
    if not isinstance(it.item, Badge):
        return it
    name = names.get(it.item.event_id)
    return it._replace(item=msgspec.structs.replace(it.item, event_name=name))
