"""What really happened, whatever any client saw: the presences that Rollcall's sessions are compared with."""

from dataclasses import dataclass, field
from typing import Any

from bot_adapter.simulator.entities import ScheduledEvent
from engine.domain.inputs import VoiceFlags


@dataclass(slots=True)
class Presence:
    """One user's unbroken stay in one channel. Times are ms UTC; ``left_at`` is None while it lasts.

    ``spans`` tells since when which flags held; its first item is that of the join.
    """

    guild_id: int
    user_id: int
    channel_id: int
    bot: bool
    gateway_session_id: str
    joined_at: int
    spans: list[tuple[int, VoiceFlags]] = field(default_factory=list)
    left_at: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "guild_id": str(self.guild_id),
            "user_id": str(self.user_id),
            "channel_id": str(self.channel_id),
            "bot": self.bot,
            "gateway_session_id": self.gateway_session_id,
            "joined_at": self.joined_at,
            "left_at": self.left_at,
            "spans": [[at, int(flags)] for at, flags in self.spans],
        }


@dataclass(slots=True)
class Happening:
    """One scheduled event's life: at which moment (ms UTC) it became what. ``deleted_at`` if it was."""

    event_id: int
    guild_id: int
    turns: list[tuple[int, ScheduledEvent]] = field(default_factory=list)
    deleted_at: int | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "event_id": str(self.event_id),
            "guild_id": str(self.guild_id),
            "turns": [_turn(at, event) for at, event in self.turns],
            "deleted_at": self.deleted_at,
        }


def _turn(at: int, event: ScheduledEvent) -> dict[str, Any]:
    return {
        "at": at,
        "status": int(event.status),
        "entity_type": int(event.entity_type),
        "channel_id": str(event.channel_id) if event.channel_id else None,
        "name": event.name,
        "starts_at": event.starts_at,
        "ends_at": event.ends_at,
    }


class TruthLog:
    """Every presence and every scheduled event since the world began, in the order in which they began."""

    def __init__(self) -> None:
        self.presences: list[Presence] = []
        self.happenings: dict[int, Happening] = {}
        self._open: dict[tuple[int, int], Presence] = {}

    def opened(self, presence: Presence, flags: VoiceFlags) -> None:
        presence.spans.append((presence.joined_at, flags))
        self.presences.append(presence)
        self._open[presence.guild_id, presence.user_id] = presence

    def changed(self, guild_id: int, user_id: int, at: int, flags: VoiceFlags) -> None:
        spans = self._open[guild_id, user_id].spans
        if spans[-1][1] != flags:
            spans.append((at, flags))

    def closed(self, guild_id: int, user_id: int, at: int) -> None:
        self._open.pop((guild_id, user_id)).left_at = at

    def scheduled(self, event: ScheduledEvent, at: int) -> None:
        """Note what a scheduled event is from now on."""
        usual = Happening(event.event_id, event.guild_id)
        self.happenings.setdefault(event.event_id, usual).turns.append((at, event))

    def unscheduled(self, event_id: int, at: int) -> None:
        self.happenings[event_id].deleted_at = at

    def lasting(self) -> list[Presence]:
        """Return the presences that still last."""
        return list(self._open.values())
