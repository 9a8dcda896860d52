"""What members are called in their guilds."""

from typing import Any

STATEMENTS = (
    """
    CREATE TABLE member (
        guild_id INTEGER NOT NULL, user_id INTEGER NOT NULL, name TEXT NOT NULL,
        PRIMARY KEY (guild_id, user_id)) WITHOUT ROWID
    """,
    "CREATE INDEX member_user_id ON member (user_id)",
)


def up(migrator: Any, db: Any) -> None:  # noqa: ARG001 - the runner's signature
    for statement in STATEMENTS:
        db.execute_sql(statement)
