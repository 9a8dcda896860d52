"""The thresholds the rules are given, from the configuration."""

from typing import Literal, NamedTuple, TypeAlias

from msgspec import Struct

from engine.domain.events import Policy
from engine.domain.tracking import Override, SubjectKind

DAY_MS = 86_400_000
# The journal is trimmed now and then, by another clock than ours.
FORGOTTEN_MARGIN_MS = 3_600_000

Distributor: TypeAlias = Literal["none", "csv", "webhook", "role"]


class Kept(NamedTuple):
    """Sessions that ended since a moment are kept, older ones removed after so many days; 0: all are."""

    since: int = 0
    days: int = 0


class BadgeRules(Struct, frozen=True, gc=False):
    """How badges are delivered; ``role_id`` for the distributor of that name."""

    distributor: Distributor = "none"
    role_id: int | None = None


class EventRules(Struct, frozen=True, gc=False):
    """What an event is made with where its request leaves it open, from ``[events]``.

    ``discord_events``: mirror Discord's own scheduled events. ``badge_roles``: by guild, for the distributor
    of roles; a guild without one has its badges recorded only.
    """

    min_duration_ms: int = 0
    min_share: float = 0.0
    match_all: bool = False
    policy: Policy = Policy()
    discord_events: bool = True
    distributor: Distributor = "none"
    badge_roles: dict[int, int] = {}

    def badges_of(self, guild_id: int) -> BadgeRules:
        """Return how a guild's badges are delivered."""
        role_id = self.badge_roles.get(guild_id)
        if self.distributor != "role":
            return BadgeRules(self.distributor)
        return BadgeRules() if role_id is None else BadgeRules("role", role_id)


class TrackingRules(Struct, frozen=True):
    """How trackers' marks come to a deadline, and what then, from ``[trackers]``.

    ``trackers``: the labels of all that report on players, ``event_trackers`` on events (None: the same).
    ``mode_all``: only while all of them hold a subject inactive does its deadline run. ``combine``: which of
    their deadlines. ``on_expiry``: of a player. ``pause``: have whoever plays pause while inactive. ``ask``:
    listeners decide, within ``ask_within_ms``. ``overrides``: by a player's guild or an event's id.
    """

    trackers: tuple[str, ...] = ()
    event_trackers: tuple[str, ...] | None = None
    mode_all: bool = False
    combine: Literal["lowest", "highest", "average"] = "lowest"
    default_timeout_ms: int = 30_000
    on_expiry: Literal["disconnect", "notify", "none"] = "disconnect"
    pause: bool = False
    ask: bool = False
    ask_within_ms: int = 10_000
    overrides: dict[int, Override] = {}

    def trackers_of(self, kind: SubjectKind) -> tuple[str, ...]:
        """Return the labels of those that report on such subjects."""
        if kind is SubjectKind.PLAYER or self.event_trackers is None:
            return self.trackers
        return self.event_trackers


class Rules(Struct, frozen=True):
    """``log_channel_id``: where a line about each gap is posted, if anywhere.

    ``opt_out``: users who are not tracked at all. ``retention_ms``: how long sessions are kept that have
    ended, 0 for ever. ``forgotten_ms``: how long the journal may hold what it told of someone forgotten.
    """

    min_session_ms: int = 1_000
    track_bots: bool = False
    channel_creation_ms: int = 10_000
    log_channel_id: int | None = None
    events: EventRules = EventRules()
    opt_out: frozenset[int] = frozenset()
    tracking: TrackingRules = TrackingRules()
    retention_ms: int = 0
    forgotten_ms: int = DAY_MS + FORGOTTEN_MARGIN_MS

    def kept(self, now: int) -> "Kept":
        """Return which sessions are kept."""
        return Kept(now - self.retention_ms, self.retention_ms // DAY_MS) if self.retention_ms else Kept()


# How far back a guild remembers who left and what was created (ms). A later entry takes effect at the edge of
# memory, so that no session can overlap one that was forgotten.
MEMORY_MS = 600_000
# Of a channel's creation (ms): an entry at the edge of memory looks back from there.
CREATION_MEMORY_MS = 2 * MEMORY_MS
