"""An event: held in voice or stage channels of a guild, its attendance counted (seeds 001 and 002)."""

from enum import IntEnum
from math import ceil

from msgspec import Struct


class EventStatus(IntEnum):
    """An event's ``status``: scheduled, then active, then ended; or cancelled."""

    SCHEDULED = 0
    ACTIVE = 1
    ENDED = 2
    CANCELLED = 3


class Policy(Struct, frozen=True, gc=False):
    """Which time counts, besides that in an event channel, undeafened, with the required roles.

    ``count_afk``: time in the guild's AFK channel. ``count_bridged``: time in which the gateway was away and
    the same presence stood at both ends. ``generous``: a boundary nobody saw is read in the member's favour.
    """

    count_muted: bool = True
    count_suppressed: bool = True
    count_alone: bool = True
    count_afk: bool = False
    count_bridged: bool = True
    generous: bool = False


class Event(Struct, frozen=True, gc=False):
    """An event as the ledger has it. Moments in ms UTC.

    ``starts_at``, ``ends_at`` are when it is to begin and to end by itself; ``started_at``, ``ended_at`` when
    it did, the window that attendance is scored in. ``match_all``: all of the required roles, else any.
    ``afk_channel_id``: the guild's, as of the event's last moment. ``settled``: an event that is over and of
    which nothing new can be learned (see ``lifecycle.is_settled``), badges awarded.
    """

    event_id: int
    guild_id: int
    name: str
    channel_ids: tuple[int, ...]
    status: EventStatus = EventStatus.SCHEDULED
    starts_at: int | None = None
    ends_at: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    required_role_ids: tuple[int, ...] = ()
    match_all: bool = False
    min_duration_ms: int = 0
    min_share: float = 0.0
    policy: Policy = Policy()
    source: str = "api"
    discord_event_id: int | None = None
    afk_channel_id: int | None = None
    created_at: int = 0
    updated_at: int = 0
    settled: bool = False

    @property
    def is_open(self) -> bool:
        """Say whether it may still start or go on."""
        return self.status in (EventStatus.SCHEDULED, EventStatus.ACTIVE)

    def threshold_ms(self, until: int) -> int:
        """Return how much counted time a badge takes, of the event as it stands at ``until``; at least 1."""
        if self.started_at is None:
            return max(self.min_duration_ms, 1)
        length_ms = (until if self.ended_at is None else self.ended_at) - self.started_at
        # Rounded first: 0.1 * 30 must not come to a millisecond more for the sake of a binary fraction.
        return max(self.min_duration_ms, ceil(round(self.min_share * length_ms, 6)), 1)
