"""Dead letters by the actor that refused them, and what became of them; quarantines that stay."""

from typing import Any

STATEMENTS = (
    "ALTER TABLE deadletter RENAME TO deadletter_before",
    """
    CREATE TABLE deadletter (
        "partition" INTEGER NOT NULL, journal_id TEXT NOT NULL, actor TEXT NOT NULL, guild_id INTEGER,
        raw BLOB NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, retried_at INTEGER,
        PRIMARY KEY ("partition", journal_id, actor))
    """,
    """
    INSERT INTO deadletter ("partition", journal_id, actor, guild_id, raw, reason, at)
    SELECT "partition", journal_id, coalesce('guild:' || guild_id, ''), guild_id, raw, reason, at
    FROM deadletter_before
    """,
    "DROP TABLE deadletter_before",
    """
    CREATE TABLE quarantine (
        "partition" INTEGER NOT NULL, actor TEXT NOT NULL, guild_id INTEGER NOT NULL, reason TEXT NOT NULL,
        journal_id TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY ("partition", actor)) WITHOUT ROWID
    """,
)


def up(migrator: Any, db: Any) -> None:  # noqa: ARG001 - the runner's signature
    for statement in STATEMENTS:
        db.execute_sql(statement)
