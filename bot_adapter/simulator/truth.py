"""What really happened, whatever any client saw: the presences that Rollcall's sessions are compared with."""

from dataclasses import dataclass, field
from typing import Any

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


class TruthLog:
    """Every presence since the world began, in the order in which they began."""

    def __init__(self) -> None:
        self.presences: list[Presence] = []
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

    def lasting(self) -> list[Presence]:
        """Return the presences that still last."""
        return list(self._open.values())
