"""Trackers: the bot's players, other bots in voice, and what trackers say of players and events."""

from typing import Any

STATEMENTS = (
    """
    CREATE TABLE player (
        guild_id INTEGER NOT NULL PRIMARY KEY, channel_id INTEGER NOT NULL, since INTEGER NOT NULL,
        state INTEGER NOT NULL, paused_by_us INTEGER NOT NULL)
    """,
    """
    CREATE TABLE presence (
        guild_id INTEGER NOT NULL, user_id INTEGER NOT NULL, channel_id INTEGER NOT NULL,
        flags INTEGER NOT NULL, roles BLOB,
        PRIMARY KEY (guild_id, user_id)) WITHOUT ROWID
    """,
    """
    CREATE TABLE subject (
        kind INTEGER NOT NULL, subject_id INTEGER NOT NULL, guild_id INTEGER NOT NULL,
        state INTEGER NOT NULL, marks TEXT NOT NULL, deadline INTEGER, postponed_ms INTEGER NOT NULL,
        ignored INTEGER NOT NULL, asked_at INTEGER, override TEXT,
        PRIMARY KEY (kind, subject_id)) WITHOUT ROWID
    """,
)


def up(migrator: Any, db: Any) -> None:  # noqa: ARG001 - the runner's signature
    for statement in STATEMENTS:
        db.execute_sql(statement)
