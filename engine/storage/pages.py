"""What all lists of the ledger have in common: rows, filters, a page at a time, the partitions' time."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self, TypeAlias

from peewee import ModelSelect, SqliteDatabase

from engine.domain import views
from engine.domain.ids import is_pseudonym, parse_person, partition_of
from engine.storage.models import Partition

Row: TypeAlias = dict[str, Any]

ID_MAX = 2**63 - 1  # SQLite's largest integer
ID_MIN = -ID_MAX - 1


class InvalidCursor(ValueError):  # noqa: N818 - it names what is wrong
    """The cursor is none that a page ever named."""


class Page(NamedTuple):
    """Some items, and the cursor of the next page if there is one."""

    items: list[Row]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which of them; None means any. ``since``, ``until``: ms UTC; those that overlap ``[since, until)``."""

    guild_id: int | None = None
    channel_id: int | None = None
    since: int | None = None
    until: int | None = None
    status: str | None = None

    @classmethod
    def written(
        cls, ids: Mapping[str, str | None], since: datetime | None, until: datetime | None, status: str | None
    ) -> Self:
        """Read a filter as people write it: ``ids`` by the names of the fields, in digits."""
        numbers = {name: int(text) for name, text in ids.items() if text is not None}
        return cls(**numbers, since=_ms(since), until=_ms(until), status=status)


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else (moment - views.EPOCH) // timedelta(milliseconds=1)


def id_position(cursor: str) -> int:
    """Return the id that a page ended with. Raises ``InvalidCursor``."""
    position = person_position(cursor)
    if is_pseudonym(position):
        raise InvalidCursor(cursor)
    return position


def person_position(cursor: str) -> int:
    """Return the user's id that a page ended with. Raises ``InvalidCursor``."""
    try:
        position = parse_person(cursor)
    except ValueError:
        raise InvalidCursor(cursor) from None
    if abs(position) > ID_MAX:
        raise InvalidCursor(cursor)
    return position


def fetched(database: SqliteDatabase, query: "ModelSelect[Any]") -> list[Row]:
    """Return a query's rows as dictionaries by column."""
    return list(query.dicts().execute(database))


class Times(tuple[int, ...]):
    """The time of each partition in ms UTC, up to which everything is known."""

    __slots__ = ()

    @classmethod
    def read(cls, database: SqliteDatabase) -> Self:
        """Read where the partitions stand."""
        query = Partition.select(Partition.now).order_by(Partition.number)
        return cls(now for (now,) in query.tuples().execute(database))

    def of(self, guild_id: int, otherwise: int) -> int:
        """Return the time of a guild's partition; ``otherwise`` of a ledger without partitions."""
        return self[partition_of(guild_id, len(self))] if self else otherwise
