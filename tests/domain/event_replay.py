"""The engine in the small with its events: guilds step, events follow, all in plain dicts."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from engine.domain.effects import Effect
from engine.domain.event_inputs import EventInput
from engine.domain.event_step import EventState, Facts, Happening, Time, carry_out, plan
from engine.domain.events import EventStatus
from engine.domain.guild import GuildState
from engine.domain.inputs import Entry, GuildLost, GuildSnapshot, Input
from engine.domain.participation import attendees, score
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
        effects = [self._event(*it, admission) for it in self._shares(admission, facts).items()]
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
            elif not isinstance(what, GuildSnapshot):
                shares[what.event_id, what.guild_id].append((what, asked_at))
        for (_, guild_id), share in shares.items():
            if guild_id in facts:
                share.append((Facts(facts[guild_id]), now))
            share.append((Time(admission.state.connections), now))
        return shares

    def _event(self, names: tuple[int, int], share: list[Happening], _: Admission[None]) -> list[Effect]:
        """Let one event take its share. What must be read is read as of before it."""
        event_id, guild_id = names
        state = self.states.get(event_id) or self.events.load(event_id, guild_id)
        planned = plan(state, share, self.rules)
        read = self.events.attendance(planned.event) if planned.read else None
        self.states[event_id], effects = carry_out(state, planned, read, share, self.rules)
        return effects

    def outcome(self) -> dict[str, Any]:
        """Return what the ledger holds of events in the end."""
        rows = {}
        for event in self.events.events.values():
            rows[event.event_id] = self.events.participants.get(event.event_id, {})
            if event.status is EventStatus.ENDED and not event.settled:  # corrections are still to come
                rows[event.event_id] = score(event, attendees(event, *self.events.attendance(event)))
        return {
            "events": self.events.events,
            "participants": rows,
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

    What trackers say of events must find them as their guild has left them.
    """
    portion: list[Entry] = []
    for entry in batch:
        if _is_of_event(entry.input) and any(isinstance(it.input, GuildLost) for it in portion):
            yield portion
            portion = []
        if not isinstance(entry.input, EventInput | TrackersKnown):
            portion.append(entry)
            continue
        if portion:
            yield portion
        yield [entry]
        portion = []
    if portion:
        yield portion


def _is_of_event(what: Input) -> bool:
    if isinstance(what, ScopeCommitted):
        return any(mark.kind == SubjectKind.EVENT for mark in what.marks)
    return isinstance(what, SubjectOverridden | ExpiryDecided) and what.kind == SubjectKind.EVENT
