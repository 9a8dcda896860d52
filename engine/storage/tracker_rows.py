"""Players, other bots and subjects of trackers, as rows: written with a commit, read back."""

from collections.abc import Callable
from sqlite3 import Connection
from typing import Any

import msgspec.json

from engine.domain.effects import Effect
from engine.domain.tracker_effects import DropSubject, SavePlayer, SavePresence, SaveSubject
from engine.domain.tracking import (
    Mark,
    Override,
    Player,
    PlayerState,
    Presence,
    Subject,
    SubjectKind,
    SubjectState,
)
from engine.storage.rows import Row, pack_roles, unpack_roles, write_rows

_SAVE_PLAYER = """
    INSERT OR REPLACE INTO player (guild_id, channel_id, since, state, paused_by_us) VALUES {rows}
"""
_DROP_PLAYER = "DELETE FROM player WHERE guild_id = ?"
_SAVE_PRESENCE = """
    INSERT OR REPLACE INTO presence (guild_id, user_id, channel_id, flags, roles) VALUES {rows}
"""
_DROP_PRESENCE = "DELETE FROM presence WHERE guild_id = ? AND user_id = ?"
_SUBJECT_COLUMNS = (
    "kind, subject_id, guild_id, state, marks, deadline, postponed_ms, ignored, asked_at, override"
)
_SAVE_SUBJECT = f"INSERT OR REPLACE INTO subject ({_SUBJECT_COLUMNS}) VALUES {{rows}}"  # noqa: S608 - a constant
_DROP_SUBJECT = "DELETE FROM subject WHERE kind = ? AND subject_id = ?"
_PLAYER = "SELECT channel_id, since, state, paused_by_us FROM player WHERE guild_id = ?"
_PRESENCES = "SELECT user_id, channel_id, flags, roles FROM presence WHERE guild_id = ? ORDER BY user_id"
_SUBJECT = f"SELECT {_SUBJECT_COLUMNS} FROM subject WHERE kind = ? AND subject_id = ?"  # noqa: S608 - a constant
_SUBJECTS = f"SELECT {_SUBJECT_COLUMNS} FROM subject ORDER BY kind, subject_id"  # noqa: S608 - a constant

_encode = msgspec.json.Encoder().encode
# Of each tracker `[since, timeout_ms]`; of one that does not run `[since or null, timeout_ms, since when]`.
_marks = msgspec.json.Decoder(dict[str, list[int | None]]).decode
_override = msgspec.json.Decoder(Override).decode


class TrackerBatch:
    """What becomes of these rows in one commit: the last word on each counts, None takes it away."""

    def __init__(self) -> None:
        self._players: dict[tuple[int], Row | None] = {}
        self._presences: dict[tuple[int, int], Row | None] = {}
        self._subjects: dict[tuple[int, int], Row | None] = {}

    def take(self, effect: Effect) -> None:
        """Take one of ``TAKEN``."""
        _TAKERS[type(effect)](self, effect)

    def write(self, connection: Connection) -> None:
        """Write the rows."""
        for rows, save, drop in (
            (self._players, _SAVE_PLAYER, _DROP_PLAYER),
            (self._presences, _SAVE_PRESENCE, _DROP_PRESENCE),
            (self._subjects, _SAVE_SUBJECT, _DROP_SUBJECT),
        ):
            if rows:
                connection.executemany(drop, [key for key, row in rows.items() if row is None])
                write_rows(connection, save, [row for row in rows.values() if row is not None])

    def _save_player(self, it: SavePlayer) -> None:
        self._players[(it.guild_id,)] = None if it.player is None else _player_row(it.guild_id, it.player)

    def _save_presence(self, it: SavePresence) -> None:
        here, key = it.presence, (it.guild_id, it.user_id)
        self._presences[key] = (
            None if here is None else (*key, here.channel_id, here.flags, pack_roles(here.roles))
        )

    def _save_subject(self, it: SaveSubject) -> None:
        self._subjects[it.subject.kind.value, it.subject.subject_id] = subject_row(it.guild_id, it.subject)

    def _drop_subject(self, it: DropSubject) -> None:
        self._subjects[it.kind.value, it.subject_id] = None


def _player_row(guild_id: int, it: Player) -> Row:
    return guild_id, it.channel_id, it.since, it.state.value, 1 if it.paused_by_us else 0


def subject_row(guild_id: int, it: Subject) -> Row:
    """Return a subject as its table has it."""
    return (
        it.kind.value,
        it.subject_id,
        guild_id,
        it.state.value,
        _encode(_said(it)).decode(),
        it.deadline,
        it.postponed_ms,
        1 if it.ignored else 0,
        it.asked_at,
        None if it.override is None else _encode(it.override).decode(),
    )


def _said(it: Subject) -> dict[str, tuple[int | None, ...]]:
    said: dict[str, tuple[int | None, ...]] = {
        label: (mark.since, mark.timeout_ms) for label, mark in it.marks.items()
    }
    return said | {label: (*said.get(label, (None, None)), at) for label, at in it.silent.items()}


def read_subject(row: Row) -> tuple[int, Subject]:
    """Return the guild and the subject of a row."""
    kind, subject_id, guild_id, state, marks, deadline, postponed_ms, ignored, asked_at, override = row
    said = _marks(marks)
    held = {label: Mark(it[0], it[1]) for label, it in said.items() if it[0] is not None}
    silent = {label: at[0] for label, (_, _, *at) in said.items() if at and at[0] is not None}
    return guild_id, Subject(
        SubjectKind(kind),
        subject_id,
        SubjectState(state),
        held,
        deadline,
        postponed_ms,
        bool(ignored),
        asked_at,
        None if override is None else _override(override),
        silent,
    )


def find_player(connection: Connection, guild_id: int) -> Player | None:
    """Return a guild's player."""
    row = connection.execute(_PLAYER, (guild_id,)).fetchone()
    return None if row is None else Player(row[0], row[1], PlayerState(row[2]), bool(row[3]))


def find_players(connection: Connection) -> list[int]:
    """Return all guilds that have a player."""
    return [guild_id for (guild_id,) in connection.execute("SELECT guild_id FROM player ORDER BY guild_id")]


def find_presences(connection: Connection, guild_id: int) -> dict[int, Presence]:
    """Return the other bots in a guild's voice, by user."""
    rows = connection.execute(_PRESENCES, (guild_id,))
    return {row[0]: Presence(row[0], row[1], row[2], unpack_roles(row[3])) for row in rows}


def find_subject(connection: Connection, kind: SubjectKind, subject_id: int) -> Subject | None:
    """Return what trackers say of a player (by its guild) or an event."""
    row = connection.execute(_SUBJECT, (kind.value, subject_id)).fetchone()
    return None if row is None else read_subject(row)[1]


def find_subjects(connection: Connection) -> list[tuple[int, Subject]]:
    """Return all subjects, each with its guild."""
    return [read_subject(row) for row in connection.execute(_SUBJECTS)]


_TAKERS: dict[type[Effect], Callable[[TrackerBatch, Any], None]] = {
    SavePlayer: TrackerBatch._save_player,  # noqa: SLF001 - the class's own table
    SavePresence: TrackerBatch._save_presence,  # noqa: SLF001
    SaveSubject: TrackerBatch._save_subject,  # noqa: SLF001
    DropSubject: TrackerBatch._drop_subject,  # noqa: SLF001
}
TAKEN = tuple(_TAKERS)
