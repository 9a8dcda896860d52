"""An event's life: when it begins and ends, and when nothing more can be learned of it.

    scheduled ──start, or starts_at──> active ──stop, or ends_at──> ended ──watched beyond its end──> settled
        └──────────────cancel──────────────┴──cancel──> cancelled

Deadlines take effect at their own time, however much later an entry shows that it has come.
"""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from engine.domain.events import Event, EventStatus
from engine.domain.gateway import Connections

SCHEDULED, ACTIVE, ENDED, CANCELLED = EventStatus
DISCORD = "discord"


class Standing(Struct, frozen=True, gc=False):
    """How an event's guild is watched; see ``guild.GuildState`` for the fields."""

    connection: str | None = None
    lost_at: int | None = None
    present: bool = False
    afk_channel_id: int | None = None


def due(event: Event | None, now: int) -> Event | None:
    """Let time pass for an event up to ``now``. Discord's own begin and end when Discord says so."""
    if event is None or event.source == DISCORD:
        return event
    if event.status is SCHEDULED and event.starts_at is not None and event.starts_at <= now:
        event = begun(event, event.starts_at)
    if event.status is SCHEDULED and event.ends_at is not None and event.ends_at <= now:
        return touched(event, event.ends_at, status=CANCELLED, settled=True)  # nobody ever started it
    if event.status is ACTIVE and event.ends_at is not None and event.ends_at <= now:
        return ended(event, event.ends_at)
    return event


def deadline(event: Event) -> int | None:
    """Return when ``due`` will next change the event, None if never."""
    if event.source == DISCORD or not event.is_open:
        return None
    if event.status is SCHEDULED and event.starts_at is not None:
        return event.starts_at
    return event.ends_at


def is_settled(event: Event, standing: Standing, connections: Connections, min_session_ms: int) -> bool:
    """Say whether nothing new can be learned of an event that is over.

    Its guild has been watched without a gap to its end and on, so long that a session of its last moment
    would have shown whether it was shorter than the minimum. Where the bot is in the guild no more, it is
    enough that anything is watched by then: another writer's clock, which ended it, may be ahead.
    """
    if event.ended_at is None:
        return False
    sure_at = event.ended_at + min_session_ms
    if not standing.present:
        return any(it.alive_at >= sure_at for it in connections.values())
    if standing.lost_at is not None or standing.connection is None:
        return False
    connection = connections.get(standing.connection)
    return connection is not None and connection.alive_at >= sure_at


def begun(event: Event, at: int) -> Event:
    """Start an event."""
    return touched(event, at, status=ACTIVE, started_at=at)


def ended(event: Event, at: int) -> Event:
    """End an active event, never before it began."""
    assert event.started_at is not None
    return touched(event, at, status=ENDED, ended_at=max(at, event.started_at))


def cancelled(event: Event, at: int) -> Event:
    """Cancel an event; of an active one the attendance so far is kept, as what comes is learned."""
    ended_at = None if event.started_at is None else max(at, event.started_at)
    return touched(event, at, status=CANCELLED, ended_at=ended_at, settled=ended_at is None)


def touched(event: Event, at: int, **changes: Any) -> Event:
    """Change an event at a moment."""
    return replace(event, updated_at=max(at, event.updated_at), **changes)
