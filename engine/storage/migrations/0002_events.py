"""Events: who attended, which sessions belong to them, badges; roles of sessions; who is forgotten."""

from typing import Any

STATEMENTS = (
    "ALTER TABLE session ADD COLUMN roles BLOB",
    "ALTER TABLE span ADD COLUMN roles BLOB",
    "CREATE INDEX session_left_slack ON session (guild_id, left_at) WHERE left_slack_ms > 0",
    """
    CREATE TABLE event (
        event_id INTEGER NOT NULL PRIMARY KEY, guild_id INTEGER NOT NULL, name TEXT NOT NULL,
        channel_ids TEXT NOT NULL, required_role_ids TEXT NOT NULL, status INTEGER NOT NULL,
        starts_at INTEGER, ends_at INTEGER, started_at INTEGER, ended_at INTEGER,
        match_all INTEGER NOT NULL, min_duration_ms INTEGER NOT NULL, min_share REAL NOT NULL,
        count_muted INTEGER NOT NULL, count_suppressed INTEGER NOT NULL, count_alone INTEGER NOT NULL,
        count_afk INTEGER NOT NULL, count_bridged INTEGER NOT NULL, generous INTEGER NOT NULL,
        source TEXT NOT NULL, discord_event_id INTEGER, afk_channel_id INTEGER,
        created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, settled INTEGER NOT NULL)
    """,
    "CREATE INDEX event_guild_id_started_at ON event (guild_id, started_at)",
    "CREATE INDEX event_open ON event (event_id) WHERE status < 2 OR NOT settled",
    "CREATE INDEX event_listed ON event (coalesce(starts_at, created_at))",
    """
    CREATE TABLE participant (
        event_id INTEGER NOT NULL, user_id INTEGER NOT NULL, guild_id INTEGER NOT NULL,
        entered_at INTEGER NOT NULL, start_at INTEGER NOT NULL, end_at INTEGER,
        counted_ms INTEGER NOT NULL, deafened_ms INTEGER NOT NULL, missing_role_ms INTEGER NOT NULL,
        afk_ms INTEGER NOT NULL, bridged_ms INTEGER NOT NULL, suppressed_ms INTEGER NOT NULL,
        muted_ms INTEGER NOT NULL, alone_ms INTEGER NOT NULL, eligible INTEGER,
        PRIMARY KEY (event_id, user_id)) WITHOUT ROWID
    """,
    "CREATE INDEX participant_user_id ON participant (user_id)",
    """
    CREATE TABLE eventsession (
        event_id INTEGER NOT NULL, guild_id INTEGER NOT NULL, user_id INTEGER NOT NULL,
        joined_at INTEGER NOT NULL,
        PRIMARY KEY (event_id, user_id, joined_at)) WITHOUT ROWID
    """,
    "CREATE INDEX eventsession_guild_id_user_id_joined_at ON eventsession (guild_id, user_id, joined_at)",
    """
    CREATE TABLE badge (
        event_id INTEGER NOT NULL, user_id INTEGER NOT NULL, guild_id INTEGER NOT NULL,
        awarded_at INTEGER NOT NULL, distributor TEXT NOT NULL, outbox_id TEXT,
        PRIMARY KEY (event_id, user_id)) WITHOUT ROWID
    """,
    "CREATE INDEX badge_user_id ON badge (user_id)",
    """
    CREATE TABLE forgotten (
        "partition" INTEGER NOT NULL, user_id INTEGER NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY ("partition", user_id)) WITHOUT ROWID
    """,
)


def up(migrator: Any, db: Any) -> None:  # noqa: ARG001 - the runner's signature
    for statement in STATEMENTS:
        db.execute_sql(statement)
