"""What becomes of events, told plainly: each request and each deadline, one after the other."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from msgspec import UNSET, structs

from engine.domain.event_inputs import (
    CancelEvent,
    ChangeEvent,
    CreateEvent,
    EventInput,
    RescoreEvent,
    StartEvent,
    StopEvent,
)
from engine.domain.events import Policy
from engine.domain.inputs import (
    Entry,
    GuildChanged,
    GuildLost,
    GuildSnapshot,
    GuildUnavailable,
    Heartbeat,
    Input,
)
from engine.domain.rules import MEMORY_MS, Rules
from tests.domain.attendance_oracle import Presence, Terms, overlaps

NAMES = {"required_role_ids": "role_ids"}


@dataclass
class EventOracle:
    """Takes the journal entry by entry. ``presences``: what is known by then of who was where,
    each user's in order.

    ``settled``: events that follow nothing any more.
    """

    rules: Rules
    now: int = 0
    events: dict[int, Terms] = field(default_factory=dict)
    afk: dict[int, int | None] = field(default_factory=dict)
    lost_at: dict[int, int] = field(default_factory=dict)
    present: set[int] = field(default_factory=set)
    settled: set[int] = field(default_factory=set)
    _taken: set[tuple[str, int]] = field(default_factory=set)
    _gone: Counter[tuple[int, int]] = field(default_factory=Counter)

    def take(self, entry: Entry, presences: dict[int, list[Presence]]) -> None:
        """Take one entry. ``presences`` by guild, as known once it has taken effect."""
        what = entry.input
        if (entry.source, entry.seq) in self._taken:  # appended twice
            return
        self._taken.add((entry.source, entry.seq))
        self.now = max(self.now, what.at)
        if not isinstance(what, Heartbeat):
            what = structs.replace(what, at=max(what.at, self.now - MEMORY_MS))
        for terms in self.events.values():
            self._let_time_pass(terms)
        if isinstance(what, EventInput):
            self._ask(what)
        else:
            self._follow(what)
        self._glimpse(presences)
        for terms in self.events.values():
            _explain(terms, presences.get(terms.guild_id, []))

    def _let_time_pass(self, it: Terms) -> None:
        if it.status == "scheduled" and it.starts_at is not None and it.starts_at <= self.now:
            it.status, it.started_at = "active", it.starts_at
        if it.status == "scheduled" and it.ends_at is not None and it.ends_at <= self.now:
            it.status = "cancelled"
        if it.status == "active" and it.ends_at is not None and it.ends_at <= self.now:
            self._end(it, "ended", it.ends_at)

    def _follow(self, what: Input) -> None:  # noqa: C901 - one case after another, as the rule tells them
        """Follow the guild: its AFK channel, and whether the bot is in it."""
        if not isinstance(what, GuildChanged | GuildSnapshot | GuildUnavailable | GuildLost):
            return
        guild_id, lost_before = what.guild_id, self.lost_at.get(what.guild_id)
        if isinstance(what, GuildChanged | GuildSnapshot):
            self.afk[guild_id] = what.afk_channel_id
        if isinstance(what, GuildSnapshot):
            self.present.add(guild_id)
            self.lost_at.pop(guild_id, None)
        if isinstance(what, GuildLost):
            self.present.discard(guild_id)
            self.lost_at[guild_id] = what.at if lost_before is None else min(what.at, lost_before)
        if isinstance(what, GuildUnavailable):
            if lost_before is not None:
                return  # nothing new
            self.lost_at[guild_id] = what.at
        for terms in self.events.values():
            if terms.guild_id != guild_id or terms.status not in ("scheduled", "active"):
                continue
            if guild_id in self.present:
                terms.afk_channel_id = self.afk.get(guild_id)
            elif terms.status == "active":
                self._end(terms, "ended", self.lost_at.get(guild_id, what.at))

    def _ask(self, what: EventInput) -> None:
        it = self.events.get(what.event_id)
        if isinstance(what, CreateEvent):
            if it is None:
                self._create(what)
        elif it is None:
            return
        elif isinstance(what, StartEvent) and it.status == "scheduled":
            it.status, it.started_at = "active", what.at
        elif isinstance(what, StopEvent) and it.status == "active":
            self._end(it, "ended", what.at)
        elif isinstance(what, CancelEvent) and it.status in ("scheduled", "active"):
            self._end(it, "cancelled", what.at)
        elif isinstance(what, ChangeEvent) and it.status != "cancelled":
            self._change(it, what)
        elif isinstance(what, RescoreEvent) and it.started_at is not None:
            _forget_glimpses(it)
        if what.event_id in self.events:
            self._let_time_pass(self.events[what.event_id])

    def _create(self, what: CreateEvent) -> None:
        defaults = self.rules.events
        blank = Terms(
            what.guild_id,
            (),
            match_all=defaults.match_all,
            min_duration_ms=defaults.min_duration_ms,
            min_share=defaults.min_share,
            afk_channel_id=self.afk.get(what.guild_id),
            policy=structs.asdict(defaults.policy),
        )
        terms = _with(blank, what.fields)
        if _is_possible(terms, what.at, what.fields):
            self.events[what.event_id] = terms

    def _change(self, it: Terms, what: ChangeEvent) -> None:
        terms = _with(it, what.fields)
        if not _is_possible(terms, what.at, what.fields):
            return
        if terms.started_at is not None:
            _forget_glimpses(terms)
            self.settled.discard(what.event_id)
        self.events[what.event_id] = terms

    def _end(self, it: Terms, status: str, at: int) -> None:
        it.status = status
        if it.started_at is not None:
            it.ended_at = max(at, it.started_at)
            _forget_glimpses(it)

    def _glimpse(self, presences: dict[int, list[Presence]]) -> None:
        """Remember who was in an event, though so shortly that nothing else tells of it."""
        for guild_id, found in presences.items():
            seen: Counter[int] = Counter()
            for it in [it for it in found if not it.kept]:
                seen[it.user_id] += 1
                if seen[it.user_id] <= self._gone[guild_id, it.user_id]:
                    continue
                self._gone[guild_id, it.user_id] += 1
                for event_id, terms in self.events.items():
                    follows = terms.started_at is not None and event_id not in self.settled
                    if terms.guild_id == guild_id and follows and overlaps(terms, it):
                        _remember(terms, it, found)


def _remember(terms: Terms, it: Presence, presences: list[Presence]) -> None:
    """Remember that somebody was there, if nothing else tells of them so early."""
    at = max(it.reading(terms.policy["generous"])[0], terms.started_at)
    mine = [other for other in presences if other.kept and other.user_id == it.user_id]
    if not any(overlaps(terms, other) and other.joined_at <= it.joined_at for other in mine):
        terms.glimpses[it.user_id] = min(at, terms.glimpses.get(it.user_id, at))


def _explain(terms: Terms, presences: list[Presence]) -> None:
    """Forget whom a session tells of: its row says no less."""
    for it in presences:
        at = terms.glimpses.get(it.user_id)
        is_told = at is not None and it.kept and overlaps(terms, it)
        if is_told and max(it.reading(terms.policy["generous"])[0], terms.started_at) <= at:
            del terms.glimpses[it.user_id]


def _forget_glimpses(it: Terms) -> None:
    """Keep only who was seen in the window as it is now."""
    ends = max(it.ends, it.started_at + 1)  # an event of no length was a moment
    it.glimpses = {user: at for user, at in it.glimpses.items() if it.started_at <= at < ends}


def _with(it: Terms, fields: Any) -> Terms:
    given = {name: value for name, value in structs.asdict(fields).items() if value is not UNSET}
    given.pop("name", None)
    policy = dict(it.policy)
    if "policy" in given:
        asked = structs.asdict(given.pop("policy"))
        policy |= {name: value for name, value in asked.items() if value is not UNSET}
    if it.started_at is not None and given.get("starts_at") is not None:
        given["started_at"] = given["starts_at"]
    if it.ended_at is not None and given.get("ends_at") is not None:
        given["ended_at"] = given["ends_at"]
    given = {NAMES.get(name, name): value for name, value in given.items()}
    return replace(it, policy=policy, glimpses=dict(it.glimpses), **given)


def _is_possible(it: Terms, at: int, fields: Any) -> bool:
    """Say whether a request may ask for this. Times that it leaves alone are as they are."""
    moves_start, moves_end = isinstance(fields.starts_at, int), isinstance(fields.ends_at, int)
    begins_at = it.starts_at if it.started_at is None else it.started_at
    ends_at = it.ends_at if it.ended_at is None else it.ended_at
    if begins_at is not None and ends_at is not None and ends_at <= begins_at and (moves_start or moves_end):
        return False
    moved = [it.started_at] * moves_start + [it.ended_at] * moves_end
    return bool(it.channel_ids) and not any(moment is not None and moment > at for moment in moved)


assert set(structs.asdict(Policy())) >= {"generous"}
