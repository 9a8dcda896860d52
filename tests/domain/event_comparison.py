"""Whether what becomes of events is what the oracle says, after each entry of a journal."""

from typing import Any

from engine.domain.attendance import Participant
from engine.domain.event_inputs import ChangeEvent, RescoreEvent
from engine.domain.event_step import EventState
from engine.domain.events import Event, EventStatus
from engine.domain.inputs import Entry
from engine.domain.participation import attendees, score
from engine.domain.rules import Rules
from tests.domain import attendance_oracle
from tests.domain.attendance_oracle import REASONS, Expected, Presence, Terms
from tests.domain.event_oracle import EventOracle
from tests.domain.event_replay import EventReplay
from tests.domain.witnesses import Ledgered, Presences, Told

RULES = Rules()
LATER_MS = 60_007  # no boundary lies there


class Comparison:
    """Plays a journal entry by entry, and compares with the oracle after each."""

    def __init__(self, witness: Told | Ledgered, *, settles: bool = True) -> None:
        self.replay, self.oracle, self.witness = EventReplay(RULES), EventOracle(RULES), witness
        self.presences: Presences = {}
        self.badges: set[tuple[int, int]] = set()
        self.settles = settles
        self._final: dict[int, list[Presence]] = {}

    def play(self, journal: list[Entry]) -> None:
        for entry in journal:
            self.replay.take([entry])
            self.presences = self.witness.take(entry, self.replay)
            self.oracle.take(entry, self.presences)
            self.check()

    def hold(self, entry: Entry) -> None:
        """Keep what is known of a settled event's guild: what comes later changes it by a request alone.

        Something may come only where the bot has left the guild, and comes back after the event was settled.
        """
        what = entry.input
        for event_id, event in self.replay.events.events.items():
            asked = isinstance(what, ChangeEvent | RescoreEvent) and what.event_id == event_id
            if asked or not event.settled:
                self._final.pop(event_id, None)
            if event.settled and event_id not in self._final:
                self._final[event_id] = self.presences[event.guild_id]

    def check(self) -> None:
        events = self.replay.events.events
        assert events.keys() == self.oracle.events.keys()
        for event_id, terms in self.oracle.events.items():
            event = events[event_id]
            assert event.status.name.lower() == terms.status
            assert (event.started_at, event.ended_at) == (terms.started_at, terms.ended_at)
            assert terms.started_at is not None or not self.replay.events.participants[event_id]
            if terms.started_at is not None:
                self.check_attendance(event, terms)
                self.check_badges(event)
        assert self.replay.events.badges.keys() == self.badges

    def check_attendance(self, event: Event, terms: Terms) -> None:
        state = self.replay.states.get(event.event_id)
        if state is not None:
            self.check_loaded(event, state)
        elif not self.settles:
            return
        known = self.presences[terms.guild_id]
        if state is None:
            known = self._final.get(event.event_id, known)
        if event.status is EventStatus.ACTIVE:
            self.check_active(state, terms)
        else:
            rows = self.replay.events.participants[event.event_id]
            assert _told(rows) == attendance_oracle.participants(terms, known, terms.ends)
        links = attendance_oracle.links(terms, known)
        assert self.replay.events.links[event.event_id] == links

    def check_active(self, state: EventState, terms: Terms) -> None:
        """Compare so far, and from where one will look back if nothing else happens."""
        event = state.event
        until = max(self.oracle.now, terms.started_at) + LATER_MS
        expected = self.expected(terms, until)
        assert _told(score(event, state.attendees, until)) == expected
        rows = self.replay.events.participants[event.event_id]
        assert {it: row.entered_at for it, row in rows.items()} == {
            it: row.entered_at for it, row in expected.items()
        }
        live = self.replay.events.live.get(event.event_id, {})
        assert {it: _so_far(row, until) for it, row in live.items()} == {
            it: (*row.stretch, row.ms["counted"]) for it, row in expected.items()
        }

    def check_loaded(self, event: Event, state: EventState) -> None:
        """See that what is in memory is what the ledger's rows come to, and that these are the score."""
        book = self.replay.events
        fresh = book.load(event.event_id, event.guild_id)
        assert _plain(state) == _plain(fresh)
        if not event.is_open:
            assert state.written == book.participants[event.event_id] == score(event, state.attendees)
            assert state.written == score(event, attendees(event, *book.attendance(event)))

    def check_badges(self, event: Event) -> None:
        if event.settled and event.event_id not in self.oracle.settled:
            self.oracle.settled.add(event.event_id)
            rows = self.replay.events.participants[event.event_id]
            self.badges |= {(event.event_id, user_id) for user_id, row in rows.items() if row.eligible}

    def expected(self, terms: Terms, until: float) -> dict[int, Expected]:
        return attendance_oracle.participants(terms, self.presences[terms.guild_id], until)


def _told(rows: dict[int, Participant]) -> dict[int, Expected]:
    return {
        user_id: Expected(
            it.entered_at,
            dict(zip(REASONS, it.tally, strict=True)),
            (it.start_at, it.end_at),
            it.eligible,
        )
        for user_id, it in rows.items()
    }


def _so_far(it: Participant, until: int) -> tuple[int, int | None, int]:
    """Return what the live state tells: the stretch that runs comes on top of the duration."""
    return it.start_at, it.end_at, it.counted_ms + (until - it.start_at if it.end_at is None else 0)


def _plain(state: EventState) -> tuple[Any, ...]:
    """Leave out up to where somebody was read: of whom was there for no time there are two answers."""
    known = {}
    for user_id, it in state.attendees.items():
        read = [(progress.tally, progress.start_at, progress.end_at) for progress in (it.done, it.running)]
        known[user_id] = (it.entry, *read, it.stay, it.linked, it.past, it.entered_in)
    return state.event, state.standing, known, state.written
