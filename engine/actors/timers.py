"""Every deadline that runs, for people."""

from collections.abc import Iterator, Sequence

from engine.actors.inside import Inside
from engine.domain import lifecycle
from engine.domain.events import EventStatus
from engine.domain.views import iso, seconds
from engine.inspection import Described


def timers(inside: Sequence[Inside], now: int) -> list[Described]:
    """Return all deadlines, the next first."""
    found = sorted((it for part in inside for it in _timers(part)), key=lambda it: it[0])
    return [
        {"at": iso(at), "inSeconds": seconds(at - now), "what": what, **whose} for at, what, whose in found
    ]


def _timers(inside: Inside) -> Iterator[tuple[int, str, Described]]:
    for at, guild_id in inside.alarms.in_order():
        yield at, "player expires", {"guildId": str(guild_id)}
    for at, event_id in inside.events.timers():
        yield at, "event abandoned", {"eventId": str(event_id)}
    for event in inside.events.open():
        due_at = lifecycle.deadline(event)
        if due_at is not None:
            begins = event.status is EventStatus.SCHEDULED and event.starts_at is not None
            whose = {"eventId": str(event.event_id), "guildId": str(event.guild_id)}
            yield due_at, "event starts" if begins else "event ends", whose
