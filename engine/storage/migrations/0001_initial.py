"""The first schema: sessions and spans, guilds and channels, partitions, outbox, dead letters."""

from typing import Any

STATEMENTS = (
    """
    CREATE TABLE session (
        guild_id INTEGER NOT NULL, user_id INTEGER NOT NULL, joined_at INTEGER NOT NULL,
        channel_id INTEGER NOT NULL, joined_slack_ms INTEGER NOT NULL,
        left_at INTEGER, left_slack_ms INTEGER NOT NULL, status INTEGER NOT NULL,
        flags INTEGER NOT NULL, span_at INTEGER NOT NULL,
        chain_at INTEGER NOT NULL, previous_at INTEGER,
        via_channel_creation INTEGER NOT NULL, bridged INTEGER NOT NULL,
        gateway_session_id TEXT, updated_at INTEGER NOT NULL,
        PRIMARY KEY (guild_id, user_id, joined_at))
    """,
    "CREATE INDEX session_guild_id_left_at ON session (guild_id, left_at)",
    "CREATE INDEX session_joined_at ON session (joined_at)",
    """
    CREATE TABLE span (
        guild_id INTEGER NOT NULL, user_id INTEGER NOT NULL, joined_at INTEGER NOT NULL,
        started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL, flags INTEGER NOT NULL,
        PRIMARY KEY (guild_id, user_id, joined_at, started_at, ended_at)) WITHOUT ROWID
    """,
    """
    CREATE TABLE guild (
        guild_id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, afk_channel_id INTEGER,
        connection TEXT, confirmed_at INTEGER, lost_at INTEGER, present INTEGER NOT NULL,
        own_user_id INTEGER, updated_at INTEGER NOT NULL)
    """,
    """
    CREATE TABLE channel (
        guild_id INTEGER NOT NULL, channel_id INTEGER NOT NULL, name TEXT NOT NULL, kind INTEGER NOT NULL,
        created_at INTEGER, deleted_at INTEGER,
        PRIMARY KEY (guild_id, channel_id)) WITHOUT ROWID
    """,
    """
    CREATE TABLE "partition" (
        number INTEGER NOT NULL PRIMARY KEY, cursor TEXT NOT NULL, now INTEGER NOT NULL)
    """,
    """
    CREATE TABLE source (
        "partition" INTEGER NOT NULL, source TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY ("partition", source)) WITHOUT ROWID
    """,
    """
    CREATE TABLE connection (
        "partition" INTEGER NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL,
        shard_id INTEGER NOT NULL, alive_at INTEGER NOT NULL, connected INTEGER NOT NULL,
        PRIMARY KEY ("partition", position)) WITHOUT ROWID
    """,
    """
    CREATE TABLE outbox (
        outbox_id TEXT NOT NULL PRIMARY KEY, guild_id INTEGER NOT NULL, kind TEXT NOT NULL,
        payload TEXT NOT NULL, status TEXT NOT NULL, created_at INTEGER NOT NULL,
        settled_at INTEGER, detail TEXT NOT NULL)
    """,
    "CREATE INDEX outbox_pending ON outbox (created_at) WHERE status = 'pending'",
    """
    CREATE TABLE deadletter (
        "partition" INTEGER NOT NULL, journal_id TEXT NOT NULL, guild_id INTEGER, raw BLOB NOT NULL,
        reason TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY ("partition", journal_id))
    """,
)


def up(migrator: Any, db: Any) -> None:  # noqa: ARG001 - the runner's signature
    for statement in STATEMENTS:
        db.execute_sql(statement)
