"""A partition's events: which are open, what each is given of a batch, when the next one is due.

Goes after the guilds: what they did in the batch is what their active events follow.
"""

from collections.abc import Container, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import structlog

from engine.actors.children import Backing, ChildActors, Kind, Outcome
from engine.actors.deadlines import Deadlines
from engine.actors.event import EventActor
from engine.actors.shared import Shared
from engine.domain import lifecycle, scheduled
from engine.domain.effects import DropChannel, Effect, SaveGuild
from engine.domain.event_effects import SaveEvent
from engine.domain.event_inputs import ScheduledEventChanged, ScheduledEventGone
from engine.domain.event_step import Facts, Time
from engine.domain.events import Event, EventStatus
from engine.domain.inactivity import next_at
from engine.domain.inputs import GuildSnapshot
from engine.domain.partition import Asked, PartitionState, ToEvent
from engine.domain.rules import Rules
from engine.domain.tracker_effects import DropSubject, SaveSubject
from engine.domain.tracker_inputs import TrackersKnown
from engine.domain.tracking import Subject, SubjectKind
from engine.storage.protocols import Ledger

if TYPE_CHECKING:
    import pykka

log = structlog.get_logger(__name__)


class Events:
    """Belongs to the partition's thread. Knows the open events; an event beyond them is looked up."""

    def __init__(self, shared: Shared, backing: Backing, ledger: Ledger, rules: Rules) -> None:
        self._rules, self._published = rules, shared.published
        self._alarms = Deadlines()  # what trackers say of active events
        self._backing, self._ledger = backing, ledger
        self._open: dict[int, Event] = {}
        self._followed: dict[int, set[int]] = {}  # by guild: its events that follow it
        self._waiting: dict[int, set[int]] = {}  # by guild: its events that have not started
        self._unsettled: set[int] = set()
        self._due_at: int | None = None
        self._guild_of: dict[int, int] = {}

        def start(event_id: int) -> "pykka.ActorRef[Any]":
            return EventActor.start_on(shared.dispatcher, event_id, self._guild_of[event_id], ledger, rules)

        kind = Kind("event", start, lambda it: it[1])
        self.children = ChildActors(kind, shared.dispatcher, shared.supervisor, backing)

    def begin(self) -> None:
        """Learn from the ledger which events are open."""
        for event in self._ledger.open_events():
            self._know(event)
        for _, subject in self._ledger.subjects():
            if subject.kind is SubjectKind.EVENT:
                self._heed(subject)
        self._reckon()

    def open(self) -> list[Event]:
        """Return the events that are not over; may be called from any thread."""
        return list(self._open.copy().values())

    def guild_of(self, event_id: int) -> int | None:
        """Return the guild of an event that was touched lately."""
        return self._guild_of.get(event_id)

    def take(
        self,
        asked: list[Asked[Any]],
        facts: Iterable[tuple[int, list[Effect]]],
        state: PartitionState,
        *,
        beat: bool,
    ) -> Outcome:
        """Let the events take their part of a batch. ``beat``: the connections were told of in it."""
        if not self._open and not asked:
            return Outcome()
        shares = self._requests(asked)
        self._due(shares, state.now)
        may_read = bool(shares)
        may_read |= self._follow(shares, facts, state.now)
        for event_id in self._unsettled if beat else ():
            shares.setdefault(event_id, [])
        for share in shares.values():
            share.append((Time(state.connections), state.now, None))
        return self._given(shares, state.now, may_read=may_read)

    def let_go(self, guild_ids: Container[int]) -> None:
        """Stop the actors of these guilds' events: they come back as the ledger knows them."""
        for event_id, *_ in self.children.rows():
            if self._guild_of[event_id] in guild_ids:
                self.children.end(event_id)

    def _requests(self, asked: list[Asked[Any]]) -> dict[int, list[Any]]:
        """Sort what is asked by event. What a snapshot tells is compared with what is known."""
        shares: dict[int, list[Any]] = {}
        for what, now, record in asked:
            if isinstance(what, TrackersKnown):
                for event_id in self._active():
                    shares.setdefault(event_id, []).append((what, now, record))
                continue
            for it in self._told(what):
                self._guild_of[it.event_id] = it.guild_id
                shares.setdefault(it.event_id, []).append((it, now, record))
        return shares

    def _active(self) -> list[int]:
        return [event_id for event_id, it in self._open.items() if it.status is EventStatus.ACTIVE]

    def _told(self, what: ToEvent | GuildSnapshot) -> Sequence[ToEvent]:
        """Return what an entry tells, by event: Discord's own need to be compared with ours."""
        if not isinstance(what, GuildSnapshot | ScheduledEventChanged | ScheduledEventGone):
            return [what]
        mine = [event for event in self._open.values() if event.guild_id == what.guild_id]
        if not isinstance(what, GuildSnapshot):
            return scheduled.routed(what, mine)
        return [] if what.scheduled_events is None else scheduled.shown(what, mine)

    def _due(self, shares: dict[int, list[Any]], now: int) -> None:
        for event_id in self._alarms.due(now):
            shares.setdefault(event_id, [])
        if self._due_at is None or self._due_at > now:
            return
        for event_id, event in self._open.items():
            due_at = lifecycle.deadline(event)
            if due_at is not None and due_at <= now:
                shares.setdefault(event_id, [])

    def _follow(
        self, shares: dict[int, list[Any]], facts: Iterable[tuple[int, list[Effect]]], now: int
    ) -> bool:
        """Give each event what its guild did: those that follow it, and those that may from now on.

        Return whether it may be such that an event's attendance must be read anew.
        """
        followers: dict[int, set[int]] = {}
        for event_id in shares:
            followers.setdefault(self._guild_of[event_id], set()).add(event_id)
        if not followers and not self._followed and not self._waiting:
            return False
        may_read = False
        for guild_id, effects in facts:
            given, waiting = self._followed.get(guild_id, _NONE), self._waiting.get(guild_id, _NONE)
            given = given | followers.get(guild_id, _NONE)
            if (given or waiting) and not _OF_GUILD.isdisjoint(map(type, effects)):
                given, may_read = given | waiting, True
            for event_id in given:
                shares.setdefault(event_id, []).append((Facts(effects), now, None))
        return may_read

    def _given(self, shares: dict[int, list[Any]], now: int, *, may_read: bool) -> Outcome:
        if not shares:
            return Outcome()
        if may_read or any(event_id not in self.children for event_id in shares):
            self._backing.drain()
        outcome = self.children.take(shares, now)
        for _, effects in outcome.effects:
            for effect in effects:
                if type(effect) is SaveEvent:
                    self._know(effect.event)
                elif type(effect) is SaveSubject:
                    self._heed(effect.subject)
                elif type(effect) is DropSubject:
                    self._alarms.set(effect.subject_id, None)
                    self._published.events.pop(effect.subject_id, None)
        for event_id in shares:
            if event_id not in self._open:
                self.children.end(event_id)  # it follows nothing: what it knows would grow old
        self._reckon()
        return outcome

    def _know(self, event: Event) -> None:
        """Keep an event among the open ones, or let it go when it is over and nothing more can be learned."""
        event_id = event.event_id
        unsettled = not event.is_open and not event.settled
        self._guild_of[event_id] = event.guild_id
        _sort(self._followed, event, event.status is EventStatus.ACTIVE or unsettled)
        _sort(self._waiting, event, event.status is EventStatus.SCHEDULED)
        (self._unsettled.add if unsettled else self._unsettled.discard)(event_id)
        if event.is_open or unsettled:
            self._open[event_id] = event
        else:
            self._open.pop(event_id, None)

    def _heed(self, subject: Subject) -> None:
        """Take what trackers say of an event: when its time comes, and for all to see."""
        self._alarms.set(subject.subject_id, next_at(subject, self._rules.tracking))
        self._published.events[subject.subject_id] = subject

    def timers(self) -> list[tuple[int, int]]:
        """Return the deadlines that trackers have set, as ``(at, event_id)``; any thread may call."""
        return self._alarms.in_order()

    def _reckon(self) -> None:
        deadlines = (lifecycle.deadline(event) for event in self._open.values())
        self._due_at = min((at for at in deadlines if at is not None), default=None)


def _sort(by_guild: dict[int, set[int]], event: Event, belongs: bool) -> None:
    """Put an event under its guild, or take it out."""
    events = by_guild.setdefault(event.guild_id, set())
    (events.add if belongs else events.discard)(event.event_id)
    if not events:
        del by_guild[event.guild_id]


# What may end an event, be it one that has not started, or change what it leaves out.
_OF_GUILD = frozenset({DropChannel, SaveGuild})
_NONE: frozenset[int] = frozenset()
