"""What a commit does to events, their participants, links and badges, as rows.

Effects of many batches may come in one commit, so a row may be saved, dropped and saved again: only what
becomes of it is written.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from sqlite3 import Connection
from typing import Any, NamedTuple

import msgspec.json

from engine.domain.effects import Effect, GrantRole
from engine.domain.event_effects import (
    AwardBadges,
    DropParticipant,
    LinkSessions,
    SaveEvent,
    SaveParticipants,
    UnlinkSession,
)
from engine.domain.ids import is_pseudonym
from engine.domain.views import iso
from engine.storage.event_rows import EVENT_COLUMNS, event_row, participant_row
from engine.storage.rows import Row, statements, write_rows

_SAVE_EVENT = f"INSERT OR REPLACE INTO event ({EVENT_COLUMNS}) VALUES {{rows}}"  # noqa: S608 - a constant
# The badge is what says that it was delivered, so the delivery is written before it.
_DELIVER_BADGES = """
    INSERT OR IGNORE INTO outbox (outbox_id, guild_id, kind, payload, status, created_at, detail)
    SELECT column1, column2, column3, column4, 'pending', column5, '' FROM (VALUES {rows})
    WHERE NOT EXISTS (SELECT 1 FROM badge WHERE event_id = column6 AND user_id = column7)
"""
_SAVE_BADGES = """
    INSERT OR IGNORE INTO badge (event_id, user_id, guild_id, awarded_at, distributor, outbox_id)
    VALUES {rows}
"""


class _Table(NamedTuple):
    """The statements of a table whose key is an event's id and more."""

    save: str
    drop: str
    keys: str  # the rest of the keys of an event's rows


_PARTICIPANT = _Table(
    # An update names no index, so none is written anew: a row stays where it is.
    """
    INSERT INTO participant (event_id, user_id, guild_id, entered_at, start_at, end_at, counted_ms,
        deafened_ms, missing_role_ms, afk_ms, bridged_ms, suppressed_ms, muted_ms, alone_ms, eligible)
    VALUES {rows}
    ON CONFLICT DO UPDATE SET entered_at = excluded.entered_at, start_at = excluded.start_at,
        end_at = excluded.end_at, counted_ms = excluded.counted_ms, deafened_ms = excluded.deafened_ms,
        missing_role_ms = excluded.missing_role_ms, afk_ms = excluded.afk_ms,
        bridged_ms = excluded.bridged_ms, suppressed_ms = excluded.suppressed_ms,
        muted_ms = excluded.muted_ms, alone_ms = excluded.alone_ms, eligible = excluded.eligible
    """,
    "DELETE FROM participant WHERE event_id = ? AND user_id = ?",
    "SELECT user_id FROM participant WHERE event_id = ?",
)
_LINK = _Table(
    "INSERT OR IGNORE INTO eventsession (event_id, user_id, joined_at, guild_id) VALUES {rows}",
    "DELETE FROM eventsession WHERE event_id = ? AND user_id = ? AND joined_at = ?",
    "SELECT user_id, joined_at FROM eventsession WHERE event_id = ?",
)


class _Changes:
    """What becomes of a table's rows, by event and the rest of their key; None of those that go."""

    def __init__(self, table: _Table) -> None:
        self._table = table
        self._rows: dict[int, dict[Row, Row | None]] = {}
        self._whole: set[int] = set()  # events of which any other row goes

    def save(self, event_id: int, rows: Iterable[tuple[Row, Row]], *, whole: bool) -> None:
        if whole:
            self._whole.add(event_id)
            self._rows[event_id] = {}
        self._rows.setdefault(event_id, {}).update(rows)

    def drop(self, event_id: int, key: Row) -> None:
        self._rows.setdefault(event_id, {})[key] = None

    def write(self, connection: Connection) -> None:
        for event_id in self._rows:
            gone = [(event_id, *key) for key in self._gone(connection, event_id)]
            connection.executemany(self._table.drop, gone)
        rows = chain.from_iterable(it.values() for it in self._rows.values())
        write_rows(connection, self._table.save, [row for row in rows if row is not None])

    def _gone(self, connection: Connection, event_id: int) -> list[Row]:
        changed = self._rows[event_id]
        gone = [key for key, row in changed.items() if row is None]
        if event_id in self._whole:
            there = connection.execute(self._table.keys, (event_id,))
            gone += [key for key in there if key not in changed]
        return gone


class EventBatch:
    """Collects the rows of one commit's effects upon events; ``write`` puts them into an open transaction."""

    def __init__(self) -> None:
        self._events: dict[int, Row] = {}
        self._participants, self._links = _Changes(_PARTICIPANT), _Changes(_LINK)

    def take(self, effect: Effect) -> None:
        """Take one of the effects of ``TAKEN``."""
        _TAKERS[type(effect)](self, effect)

    def write(self, connection: Connection) -> None:
        """Write the rows."""
        write_rows(connection, _SAVE_EVENT, self._events.values())
        self._participants.write(connection)
        self._links.write(connection)

    def _save_event(self, it: SaveEvent) -> None:
        self._events[it.event.event_id] = event_row(it.event)

    def _save_participants(self, it: SaveParticipants) -> None:
        rows = (((who.user_id,), participant_row(it.guild_id, it.event_id, who)) for who in it.rows)
        self._participants.save(it.event_id, rows, whole=it.whole)

    def _drop_participant(self, it: DropParticipant) -> None:
        self._participants.drop(it.event_id, (it.user_id,))

    def _link_sessions(self, it: LinkSessions) -> None:
        rows = ((key, (it.event_id, *key, it.guild_id)) for key in it.sessions)
        self._links.save(it.event_id, rows, whole=it.whole)

    def _unlink_session(self, it: UnlinkSession) -> None:
        self._links.drop(it.event_id, (it.user_id, it.joined_at))


_TAKERS: dict[type[Effect], Callable[[EventBatch, Any], None]] = {
    SaveEvent: EventBatch._save_event,  # noqa: SLF001 - the class's own table
    SaveParticipants: EventBatch._save_participants,  # noqa: SLF001
    DropParticipant: EventBatch._drop_participant,  # noqa: SLF001
    LinkSessions: EventBatch._link_sessions,  # noqa: SLF001
    UnlinkSession: EventBatch._unlink_session,  # noqa: SLF001
}
TAKEN = tuple(_TAKERS)


def badge_statements(it: AwardBadges) -> Iterator[tuple[str, list[Any]]]:
    """Yield the statements that give badges and put the deliveries of the new ones into the outbox.

    Whoever has the badge gets neither again.
    """
    badges, deliveries = [], []
    for user_id in it.user_ids:
        outbox_id = f"badge-{it.event_id}-{user_id}"
        payload = _payload(it, user_id, outbox_id)
        if payload is not None:
            encoded = msgspec.json.encode(payload).decode()
            kind = it.badges.distributor
            deliveries.append((outbox_id, it.guild_id, kind, encoded, it.at, it.event_id, user_id))
        delivery = None if payload is None else outbox_id
        badges.append((it.event_id, user_id, it.guild_id, it.at, it.badges.distributor, delivery))
    yield from statements(_DELIVER_BADGES, deliveries)
    yield from statements(_SAVE_BADGES, badges)


def _payload(it: AwardBadges, user_id: int, outbox_id: str) -> GrantRole | dict[str, str] | None:
    """Return what is delivered; None where the badge is its record and nothing else."""
    distributor, role_id = it.badges.distributor, it.badges.role_id
    if distributor == "none" or is_pseudonym(user_id):
        return None
    if distributor == "role":
        return None if role_id is None else GrantRole(outbox_id, it.guild_id, user_id, role_id, it.at)
    ids = {"eventId": str(it.event_id), "guildId": str(it.guild_id), "userId": str(user_id)}
    return ids | {"awardedAt": iso(it.at)}
