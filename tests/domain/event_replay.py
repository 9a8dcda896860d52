"""The engine in the small with its events: guilds step, events follow, all in plain dicts."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from engine.domain import scheduled
from engine.domain.effects import Effect
from engine.domain.event_inputs import EventInput, ScheduledEventChanged, ScheduledEventGone
from engine.domain.event_step import EventState, Facts, Happening, Time, carry_out, plan
from engine.domain.guild import GuildState
from engine.domain.inputs import ChannelDeleted, Entry, GuildChanged, GuildSnapshot, Input
from engine.domain.partition import Admission, admit
from engine.domain.rules import Rules
from engine.domain.step import steps
from engine.domain.tracker_inputs import ExpiryDecided, ScopeCommitted, SubjectOverridden, TrackersKnown
from engine.domain.tracking import SubjectKind
from tests.domain.event_book import EventBook
from tests.domain.replay import Replay


class EventReplay(Replay):
    """Takes batches of entries. ``states`` are those of the open events, as if each had an actor."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self.events = EventBook(self.book)
        self.states: dict[int, EventState] = {}
        self.told: list[Effect] = []  # the guilds' effects of the last batch

    def take(self, batch: Iterable[Entry]) -> None:
        """Let one batch take effect."""
        for portion in portions(batch):
            self._take(portion)

    def _take(self, batch: list[Entry]) -> None:
        entries = [(entry, None) for entry in batch]
        admission = admit(self.partition, "1-0", entries, self.book.trackers.guilds())
        self._ring(admission)
        stepped = [self._stepped(guild_id, share) for guild_id, share in admission.shares.items()]
        facts = {state.guild_id: effects for state, effects in stepped}
        effects = [self._event(*it) for it in self._shares(admission, facts).items()]
        self.told = [it for _, found in stepped for it in found]
        for state, found in stepped:
            self._adopt(state, found)
        for found in effects:
            self.events.take(found)
        self.partition = admission.state
        for event_id in set(self.states) - {it.event_id for it in self.events.open_events()}:
            del self.states[event_id]

    def _stepped(self, guild_id: int, share: list[Any]) -> tuple[GuildState, list[Effect]]:
        state = self.guilds.get(guild_id, GuildState(guild_id))
        return steps(state, share, self.rules)

    def _shares(
        self, admission: Admission[None], facts: dict[int, list[Effect]]
    ) -> dict[tuple[int, int], list[Happening]]:
        """Give each event its part: what is asked, what its guild did, time."""
        now = admission.state.now
        shares: dict[tuple[int, int], list[Happening]] = defaultdict(list)
        for event in self.events.open_events():
            shares[event.event_id, event.guild_id] = []
        for what, asked_at, _ in admission.asked:
            if isinstance(what, TrackersKnown):
                for event in self.events.active_events():
                    shares[event.event_id, event.guild_id].append((what, asked_at))
                continue
            for it in self._told(what):
                shares[it.event_id, it.guild_id].append((it, asked_at))
        for (_, guild_id), share in shares.items():
            if guild_id in facts:
                share.append((Facts(facts[guild_id]), now))
            share.append((Time(admission.state.connections), now))
        return shares

    def _told(self, what: EventInput | GuildSnapshot) -> Sequence[EventInput]:
        """Return what an entry tells of each event; Discord's are told by the ids that Discord knows."""
        mine = [it for it in self.events.open_events() if it.guild_id == what.guild_id]
        if isinstance(what, GuildSnapshot):
            return [] if what.scheduled_events is None else scheduled.shown(what, mine)
        is_news = isinstance(what, ScheduledEventChanged | ScheduledEventGone)
        return scheduled.routed(what, mine) if is_news else [what]

    def _event(self, names: tuple[int, int], share: list[Happening]) -> list[Effect]:
        """Let one event take its share. What must be read is read as of before it."""
        event_id, guild_id = names
        state = self.states.get(event_id) or self.events.load(event_id, guild_id)
        planned = plan(state, share, self.rules)
        read = self.events.attendance(planned.event) if planned.read else None
        self.states[event_id], effects = carry_out(state, planned, read, share, self.rules)
        return effects

    def outcome(self) -> dict[str, Any]:
        """Return what the ledger holds of events in the end."""
        return {
            "events": self.events.events,
            "participants": {event_id: it for event_id, it in self.events.participants.items() if it},
            "links": {event_id: it for event_id, it in self.events.links.items() if it},
            "badges": self.events.badges,
            "answers": self.events.answers,
            "live": {event_id: it for event_id, it in self.events.live.items() if it},
            **self.book.trackers.outcome(),
        }

    def crash(self) -> None:
        """Forget all that is in memory; what the ledger holds is loaded again."""
        super().crash()
        self.states = {}


def portions(batch: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Cut a batch around each request: it must find in the ledger all that was before it, and no more.

    A snapshot tells of Discord's events, so what changed its guild before is in another portion. What
    trackers say of events must find them as their guild has left them.
    """
    portion: list[Entry] = []
    for entry in batch:
        what = entry.input
        if _is_alone(what):
            yield from filter(None, (portion, [entry]))
            portion = []
            continue
        if isinstance(what, GuildSnapshot) and any(_changes(it.input, what.guild_id) for it in portion):
            yield portion
            portion = []
        portion.append(entry)
    if portion:
        yield portion


def _is_alone(what: Input) -> bool:
    if isinstance(what, ScopeCommitted):
        return any(mark.kind == SubjectKind.EVENT for mark in what.marks)
    if isinstance(what, SubjectOverridden | ExpiryDecided):
        return what.kind == SubjectKind.EVENT
    return isinstance(what, EventInput | TrackersKnown)


def _changes(what: Input, guild_id: int) -> bool:
    return isinstance(what, GuildSnapshot | GuildChanged | ChannelDeleted) and what.guild_id == guild_id
