"""Since when a connection is in doubt: entries of its journal are missing."""

from typing import Any


def up(migrator: Any, db: Any) -> None:  # noqa: ARG001 - the runner's signature
    db.execute_sql("ALTER TABLE connection ADD COLUMN doubted_at INTEGER")
