"""Players and what trackers say of them, as clients see them."""

from peewee import SqliteDatabase

from engine.domain.tracking import Override, Subject, SubjectKind
from engine.domain.views import iso, seconds
from engine.storage.database import driver
from engine.storage.pages import Row
from engine.storage.tracker_rows import find_player, find_subject


def player(database: SqliteDatabase, guild_id: int) -> Row | None:
    """Return a guild's player with what trackers say of it, or None."""
    with database.atomic():
        found = find_player(driver(database), guild_id)
        subject = find_subject(driver(database), SubjectKind.PLAYER, guild_id)
    if found is None:
        return None
    subject = subject or Subject(SubjectKind.PLAYER, guild_id)
    return {
        "guildId": str(guild_id),
        "channelId": str(found.channel_id),
        "since": iso(found.since),
        "state": found.state.name.lower(),
        "pausedByUs": found.paused_by_us,
        "activity": subject.state.name.lower(),
        "deadline": None if subject.deadline is None else iso(subject.deadline),
        "override": None if subject.override is None else _shown(subject.override),
    }


def override(database: SqliteDatabase, kind: SubjectKind, subject_id: int) -> Row | None:
    """Return the run-time override of a player (by its guild) or an event, or None."""
    subject = find_subject(driver(database), kind, subject_id)
    return None if subject is None or subject.override is None else _shown(subject.override)


def _shown(it: Override) -> Row:
    timeout_s = None if it.timeout_ms is None else seconds(it.timeout_ms)
    return {
        "timeoutS": timeout_s,
        "trackers": None if it.trackers is None else list(it.trackers),
        "exempt": it.exempt,
    }
