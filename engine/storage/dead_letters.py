"""Rows of what could not take effect: dead letters, and the quarantines that make some."""

from sqlite3 import Connection

from engine.storage.journal import entry_id, read_entry
from engine.storage.protocols import Commit, Letter, Quarantine

_SAVE = """
    INSERT INTO deadletter ("partition", journal_id, guild_id, raw, reason, at, actor)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT ("partition", journal_id, actor)
    DO UPDATE SET raw = excluded.raw, reason = excluded.reason, retried_at = NULL
"""
_RETRIED = """
    UPDATE deadletter SET retried_at = ? WHERE "partition" = ? AND journal_id = ? AND actor = ?
"""
_OF_ACTOR = """
    SELECT journal_id, raw, at FROM deadletter
    WHERE "partition" = ? AND actor = ? AND retried_at IS NULL
"""
_QUARANTINE = """
    INSERT OR REPLACE INTO quarantine ("partition", actor, guild_id, reason, journal_id, at)
    VALUES (?, ?, ?, ?, ?, ?)
"""
_LIFT = 'DELETE FROM quarantine WHERE "partition" = ? AND actor = ?'
_QUARANTINES = """
    SELECT actor, guild_id, reason, journal_id, at FROM quarantine WHERE "partition" = ? ORDER BY at, actor
"""


def write_letters(connection: Connection, number: int, commit: Commit) -> None:
    """Write what a commit of partition ``number`` says of dead letters and quarantines."""
    if commit.dead_letters:
        connection.executemany(_SAVE, [(number, *it) for it in commit.dead_letters])
    for journal_id, actor in commit.retried:
        connection.execute(_RETRIED, (commit.state.now, number, journal_id, actor))
    for actor in commit.lifted:
        connection.execute(_LIFT, (number, actor))
    for quarantine in commit.quarantined:
        connection.execute(_QUARANTINE, (number, *quarantine))


def find_letters(connection: Connection, number: int, actor: str) -> list[Letter]:
    """Return an actor's dead letters that were not retried, in the order of the journal."""
    rows = connection.execute(_OF_ACTOR, (number, actor)).fetchall()
    letters = [Letter(read_entry(journal_id, raw), at) for journal_id, raw, at in rows]
    return sorted(letters, key=lambda it: entry_id(it.record.journal_id))


def find_quarantines(connection: Connection, number: int) -> list[Quarantine]:
    """Return the actors that are quarantined, the longest first."""
    return [Quarantine(*row) for row in connection.execute(_QUARANTINES, (number,))]
