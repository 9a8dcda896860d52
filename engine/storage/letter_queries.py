"""Dead letters and quarantines as people see them."""

from collections import defaultdict
from dataclasses import dataclass

from peewee import SQL, SqliteDatabase, fn

from engine.domain import views
from engine.storage.journal import read_entry
from engine.storage.models import DeadLetter, Quarantine
from engine.storage.pages import Page, Row, fetched, id_position


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFilter:
    """Which dead letters; None means any. ``everything``: those too that have taken effect since."""

    guild_id: int | None = None
    journal_id: str | None = None
    everything: bool = False


def dead_letters(
    database: SqliteDatabase, wanted: LetterFilter, *, limit: int = 100, cursor: str | None = None
) -> Page:
    """Return a page of dead letters, the last one kept first. Raises ``InvalidCursor``.

    ``kind`` is the input's name and ``entryAt`` its own moment, both None where the bytes tell of none;
    ``actor`` refused it, None for what cannot be read.
    """
    query = (
        DeadLetter.select(DeadLetter, SQL("rowid")).where(*_conditions(wanted)).order_by(SQL("rowid").desc())
    )
    if cursor is not None:
        query = query.where(SQL("rowid < ?", (id_position(cursor),)))
    rows = fetched(database, query.limit(limit + 1))
    items = [_letter(row) for row in rows[:limit]]
    return Page(items, str(rows[limit - 1]["rowid"]) if len(rows) > limit else None)


def retriable(database: SqliteDatabase, wanted: LetterFilter) -> dict[tuple[int, str], list[str]]:
    """Return the journal ids of the letters that may be taken again, by guild and actor."""
    query = (
        DeadLetter.select(DeadLetter.guild_id, DeadLetter.actor, DeadLetter.journal_id)
        .where(DeadLetter.actor != "", DeadLetter.guild_id.is_null(False), *_conditions(wanted))
        .order_by(SQL("rowid"))
    )
    found: dict[tuple[int, str], list[str]] = defaultdict(list)
    for guild_id, actor, journal_id in query.tuples().execute(database):
        found[guild_id, actor].append(journal_id)
    return dict(found)


def unreadable(database: SqliteDatabase, wanted: LetterFilter) -> int:
    """Count the letters that no actor can be told of."""
    nobodys = (DeadLetter.actor == "") | DeadLetter.guild_id.is_null()
    query = DeadLetter.select(fn.COUNT(SQL("*"))).where(nobodys, *_conditions(wanted))
    return int(query.scalar(database))


def quarantines(database: SqliteDatabase) -> dict[str, int]:
    """Return the guild of each actor that is quarantined."""
    return dict(Quarantine.select(Quarantine.actor, Quarantine.guild_id).tuples().execute(database))


def _conditions(wanted: LetterFilter) -> list[object]:
    conditions: list[object] = [] if wanted.everything else [DeadLetter.retried_at.is_null()]
    if wanted.guild_id is not None:
        conditions.append(DeadLetter.guild_id == wanted.guild_id)
    if wanted.journal_id is not None:
        conditions.append(DeadLetter.journal_id == wanted.journal_id)
    return conditions or [SQL("1")]


def _letter(row: Row) -> Row:
    entry = read_entry(row["journal_id"], row["entry"]).entry
    return {
        "journalId": row["journal_id"],
        "partition": row["partition"],
        "actor": row["actor"] or None,
        "guildId": None if row["guild_id"] is None else str(row["guild_id"]),
        "kind": None if entry is None else type(entry.input).__name__,
        "entryAt": None if entry is None else views.iso(entry.input.at),
        "at": views.iso(row["at"]),
        "reason": row["reason"],
        "bytes": len(row["entry"]),
        "retriedAt": None if row["retried_at"] is None else views.iso(row["retried_at"]),
    }
