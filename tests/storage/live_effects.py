"""Effects on active events and their participants, and the keys that they leave."""

from msgspec.structs import replace

from engine.domain.attendance import Participant
from engine.domain.event_effects import FollowParticipants
from engine.domain.events import Event, EventStatus

GUILD, OTHER = 1 << 22, 2 << 22
PIER, DECK, BUNK = 11, 12, 13


def event(event_id=1, channels=(PIER,), status=EventStatus.ACTIVE, guild_id=GUILD, **fields):
    return Event(event_id, guild_id, "Night watch", tuple(channels), status, started_at=1_000, **fields)


def participant(user_id, counted_ms=0, end_at=None):
    return Participant(user_id, 1_000, 1_000, end_at, (counted_ms, 0, 0, 0, 0, 0, 0, 0))


def follow(*users, event_id=1, guild_id=GUILD, **fields):
    return FollowParticipants(guild_id, event_id, tuple(participant(it, **fields) for it in users))


def ended(it):
    return replace(it, status=EventStatus.ENDED, ended_at=9_000)


def keys(client):
    return {it.decode() for it in client.keys("*")} - {"rollcall:live:cursor:0"}
