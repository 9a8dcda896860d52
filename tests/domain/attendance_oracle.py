"""Who attended, told as plainly as possible (DESIGN 4, seed 002): slow and obvious on purpose.

Time is cut at every moment at which anything changes. Between two such moments nothing does, so for each of
these intervals the rules are asked anew, for everybody: where are you, and does it count, or why not?
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from math import ceil, inf
from typing import NamedTuple

Roles = tuple[int, ...]
SELF_DEAF, DEAF, SELF_MUTE, MUTE, SUPPRESS, BRIDGED = 1, 2, 4, 8, 16, 32
REASONS = ("counted", "deafened", "missing_role", "afk", "bridged", "suppressed", "muted", "alone")


@dataclass
class Presence:
    """One user in one channel. ``changes``: (at, flags and roles from then on).

    ``kept``: it is, or may yet become, a session; one that was too short has no row.
    """

    user_id: int
    channel_id: int
    joined_at: int
    changes: list[tuple[int, int, Roles]]
    left_at: int | None = None
    joined_slack_ms: int = 0
    left_slack_ms: int = 0
    kept: bool = True

    @property
    def key(self) -> tuple[int, int]:
        return self.user_id, self.joined_at

    def reading(self, generous: bool) -> tuple[float, float]:
        """Return from when to when it is taken to have been: as certain, or as ever possible."""
        begins_at, ends_at = self.joined_at, inf if self.left_at is None else self.left_at
        return (
            (begins_at - self.joined_slack_ms, ends_at + self.left_slack_ms)
            if generous
            else (begins_at, ends_at)
        )

    def state(self, at: float) -> tuple[int, Roles]:
        """Return flags and roles at a moment; before the first that is known, and after the last, those."""
        flags, roles = self.changes[0][1:]
        for changed_at, *then in self.changes:
            if changed_at <= at:
                flags, roles = then
        return flags, roles


@dataclass
class Terms:
    """What an event is about. ``glimpses``: who was there without leaving a session, since when."""

    guild_id: int
    channel_ids: tuple[int, ...]
    status: str = "scheduled"
    starts_at: int | None = None
    ends_at: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    role_ids: Roles = ()
    match_all: bool = False
    min_duration_ms: int = 0
    min_share: float = 0.0
    afk_channel_id: int | None = None
    policy: dict[str, bool] = field(default_factory=dict)
    glimpses: dict[int, int] = field(default_factory=dict)

    @property
    def ends(self) -> float:
        return inf if self.ended_at is None else self.ended_at

    def holds(self, roles: Roles) -> bool:
        if not self.role_ids:
            return True
        missing = set(self.role_ids) - set(roles)
        return not missing if self.match_all else len(missing) < len(set(self.role_ids))

    def threshold_ms(self) -> int:
        length_ms = self.ended_at - self.started_at
        return max(1, self.min_duration_ms, ceil(Decimal(str(self.min_share)) * length_ms))


@dataclass
class Expected:
    """A participant. ``ms`` by reason; ``end_at`` is None while their time counts."""

    entered_at: int
    ms: dict[str, int]
    stretch: tuple[int, int | None] | None = None  # the last time that counted
    eligible: bool | None = None


def overlaps(terms: Terms, it: Presence) -> bool:
    """Say whether somebody was in the event, be it for a moment."""
    if terms.started_at is None or it.channel_id not in terms.channel_ids:
        return False
    begins_at, ends_at = it.reading(terms.policy["generous"])
    return begins_at < terms.ends and max(ends_at, it.joined_at + 1) > terms.started_at


def participants(terms: Terms, presences: Iterable[Presence], until: float) -> dict[int, Expected]:
    """Return everybody who was in the event, and what their time comes to by ``until``."""
    inside = _inside(terms, presences)
    found: dict[int, Expected] = {}
    sights = [(it.user_id, max(it.begins_at, terms.started_at)) for it in inside]
    for user_id, at in [*sights, *terms.glimpses.items()]:
        it = found.setdefault(user_id, Expected(at, dict.fromkeys(REASONS, 0)))
        it.entered_at = min(it.entered_at, at)
    for begins_at, ends_at in pairwise(_moments(terms, inside, min(until, terms.ends))):
        there = _where(inside, begins_at)
        for user_id, presence in there.items():
            why = _why(terms, presence, begins_at, list(there.values()))
            _add(found[user_id], why, begins_at, ends_at)
    still_there = {it.presence.user_id for it in inside if it.presence.left_at is None}
    for user_id, it in found.items():
        _conclude(terms, it, until, still_there=user_id in still_there)
    return found


class Reading(NamedTuple):
    """From when to when somebody is taken to have been there."""

    presence: Presence
    begins_at: float
    ends_at: float

    @property
    def user_id(self) -> int:
        return self.presence.user_id


def _inside(terms: Terms, presences: Iterable[Presence]) -> list[Reading]:
    """Return who was in the event, in order of joining: nobody came before they had come the time before."""
    inside: list[Reading] = []
    for it in sorted(presences, key=lambda it: it.joined_at):
        if it.kept and overlaps(terms, it):
            begins_at, ends_at = it.reading(terms.policy["generous"])
            before = [other.begins_at for other in inside if other.user_id == it.user_id]
            inside.append(Reading(it, max([begins_at, *before]), ends_at))
    return inside


def _moments(terms: Terms, readings: list[Reading], until: float) -> list[int]:
    """Return every moment at which anything changes, between the event's beginning and ``until``."""
    moments = {terms.started_at, until}
    for it in readings:
        moments |= {it.begins_at, it.ends_at, *(at for at, *_ in it.presence.changes)}
    return sorted(at for at in moments if terms.started_at <= at <= until)


def _where(readings: list[Reading], at: int) -> dict[int, Presence]:
    """Return where everybody is; who may be in two places is taken to be still in the first."""
    there: dict[int, Presence] = {}
    for it in readings:
        if it.begins_at <= at < it.ends_at:
            there.setdefault(it.user_id, it.presence)
    return there


def _why(  # noqa: PLR0911 - one line for each reason, in their order
    terms: Terms, it: Presence, at: int, everybody: list[Presence]
) -> str:
    flags, roles = it.state(at)
    counts = terms.policy
    if flags & (SELF_DEAF | DEAF):
        return "deafened"
    if not terms.holds(roles):
        return "missing_role"
    if it.channel_id == terms.afk_channel_id and not counts["count_afk"]:
        return "afk"
    if flags & BRIDGED and not counts["count_bridged"]:
        return "bridged"
    if flags & SUPPRESS and not counts["count_suppressed"]:
        return "suppressed"
    if flags & (SELF_MUTE | MUTE) and not counts["count_muted"]:
        return "muted"
    company = [other for other in everybody if other is not it and other.channel_id == it.channel_id]
    return "counted" if company or counts["count_alone"] else "alone"


def _add(it: Expected, why: str, begins_at: int, ends_at: int) -> None:
    it.ms[why] += ends_at - begins_at
    if why == "counted":
        goes_on = it.stretch is not None and it.stretch[1] == begins_at
        it.stretch = (it.stretch[0] if goes_on else begins_at, ends_at)


def _conclude(terms: Terms, it: Expected, until: float, *, still_there: bool) -> None:
    if it.stretch is None:
        it.stretch = (it.entered_at, it.entered_at)
    elif terms.ended_at is None and still_there and it.stretch[1] == until:
        it.stretch = (it.stretch[0], None)
    if terms.status == "ended":
        it.eligible = it.ms["counted"] >= terms.threshold_ms()
    if terms.status == "cancelled":
        it.eligible = False


def links(terms: Terms, presences: Iterable[Presence]) -> set[tuple[int, int]]:
    """Return the sessions that belong to the event: at some time in it, with its roles."""
    return {it.key for it in presences if it.kept and overlaps(terms, it) and _held_its_roles(terms, it)}


def _held_its_roles(terms: Terms, it: Presence) -> bool:
    begins_at, ends_at = it.reading(terms.policy["generous"])
    begins_at, ends_at = max(begins_at, terms.started_at), min(ends_at, terms.ends)
    changes = {at for at, *_ in it.changes if begins_at <= at < ends_at}
    # An event or a stay of no length has one moment: the later beginning of the two.
    moments = changes | {begins_at if begins_at < ends_at else max(begins_at, it.joined_at)}
    return any(terms.holds(it.state(at)[1]) for at in moments)
