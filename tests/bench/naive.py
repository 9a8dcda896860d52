"""(b) the design that voice trackers begin with: for each update one find and one save through peewee models.

Each save is a transaction of its own, on SQLite as peewee opens it, and once more with the ledger's pragmas.
The rows and their indexes are those of seed 001. A move only changes the found row, where the seed would also
create another: what is measured here is the least such a design must do.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from peewee import (
    BooleanField,
    CharField,
    DateTimeField,
    IntegerField,
    Model,
    SqliteDatabase,
    TextField,
    chunked,
)
from world import VoiceWorld

from engine.domain.inputs import GuildSnapshot, VoiceStateChanged
from engine.storage.database import CACHE_KIB, DURABLE

_ROWS_PER_INSERT = 500


class NaiveSession(Model):
    """A session as seed 001 has it; ids are text there."""

    user_id = CharField()
    guild_id = CharField()
    channel_id = CharField()
    join_time = DateTimeField()
    leave_time = DateTimeField(null=True)
    duration = IntegerField(null=True)
    is_event_linked = BooleanField(default=False)
    event_id = CharField(null=True, index=True)
    status = CharField(default="active")
    related_sessions = TextField(default="[]")
    flags = IntegerField(default=0)
    updated_at = DateTimeField()

    class Meta:
        indexes = ((("user_id", "guild_id"), False), (("guild_id", "join_time"), False))


def take(update: VoiceStateChanged) -> None:
    """One find, one save."""
    at = _moment(update.at)
    guild_id, user_id = str(update.guild_id), str(update.user_id)
    session = NaiveSession.get_or_none(
        (NaiveSession.user_id == user_id)
        & (NaiveSession.guild_id == guild_id)
        & (NaiveSession.status == "active")
    )
    if session is None:
        session = NaiveSession(user_id=user_id, guild_id=guild_id, join_time=at)
    if update.channel_id is None:
        session.leave_time, session.status = at, "completed"
        session.duration = int((at - session.join_time).total_seconds())
    else:
        session.channel_id, session.flags = str(update.channel_id), update.flags
    session.updated_at = at
    session.save()


def measure(open_sessions: int, updates: int, pragmas: Mapping[str, Any]) -> dict[str, float]:
    world = VoiceWorld(open_sessions)
    with TemporaryDirectory(prefix="rollcall-bench-") as folder:
        database = SqliteDatabase(Path(folder) / "naive.db", pragmas=pragmas)
        with database.connection_context(), database.bind_ctx([NaiveSession]):
            database.create_tables([NaiveSession])
            with database.atomic():
                for rows in chunked(_rows(world), _ROWS_PER_INSERT):
                    NaiveSession.insert_many(rows).execute()
            todo = [it for it in world.updates(updates) if isinstance(it, VoiceStateChanged)]
            cpu, wall = time.process_time(), time.perf_counter()
            for update in todo:
                take(update)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    count = len(todo)
    return {
        "open_sessions": open_sessions,
        "updates": count,
        "updates_per_s": count / wall,
        "wall_us": wall / count * 1e6,
        "cpu_us": cpu / count * 1e6,
    }


def _rows(world: VoiceWorld) -> Iterator[dict[str, Any]]:
    for snapshot in world.snapshots():
        if isinstance(snapshot, GuildSnapshot):
            at = _moment(snapshot.at)
            for state in snapshot.voice_states:
                yield {
                    "user_id": str(state.user_id),
                    "guild_id": str(snapshot.guild_id),
                    "channel_id": str(state.channel_id),
                    "join_time": at,
                    "updated_at": at,
                }


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC).replace(tzinfo=None)


if __name__ == "__main__":
    sizes = int(sys.argv[1]), int(sys.argv[2])
    durable = {**DURABLE, "cache_size": -CACHE_KIB}
    print(json.dumps({"defaults": measure(*sizes, {}), "ledger_pragmas": measure(*sizes, durable)}))
