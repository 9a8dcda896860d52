"""What every ledger promises of events, participants and links."""

import pytest
from msgspec.structs import replace

from engine.domain.effects import DropSession, SaveGuild, SaveSession
from engine.domain.event_effects import DropParticipant, FollowParticipants, SaveEvent, UnlinkSession
from engine.domain.events import EventStatus, Policy
from engine.domain.lifecycle import Standing
from engine.domain.sessions import Session
from tests.storage.ledgers import (
    CHANNEL,
    EVENT,
    FULL,
    GUILD,
    Contract,
    OnSqlite,
    T,
    Writer,
    linked,
    participant,
    saved,
)

SCHEDULED, ACTIVE, ENDED, CANCELLED = EventStatus


class EventsContract(Contract):
    @pytest.mark.parametrize("event", [EVENT, FULL, replace(EVENT, channel_ids=())])
    def test_an_event_comes_back_whole(self, open_ledger, writer, event):
        writer.write(SaveEvent(event))
        assert open_ledger().load_event(event.event_id) == event
        assert writer.ledger.load_event(12345) is None

    def test_an_event_is_as_last_saved(self, ledger, writer):
        writer.write(SaveEvent(FULL))
        renamed = replace(FULL, name="Rückfahrt", discord_event_id=None, policy=Policy())
        writer.write(SaveEvent(replace(FULL, name="")), SaveEvent(renamed))
        assert ledger.load_event(FULL.event_id) == renamed

    def test_open_are_the_events_of_which_something_can_still_be_learned(self, ledger, writer):
        kinds = [(it, settled) for it in EventStatus for settled in (False, True)]
        events = [replace(EVENT, event_id=n, status=it, settled=on) for n, (it, on) in enumerate(kinds, 1)]
        writer.write(*(SaveEvent(it) for it in reversed(events)))
        found = [(it.status, it.settled) for it in ledger.open_events()]
        assert found == [
            (SCHEDULED, False),
            (SCHEDULED, True),
            (ACTIVE, False),
            (ACTIVE, True),
            (ENDED, False),
            (CANCELLED, False),
        ]

    def test_participants_come_back_whole(self, ledger, writer):
        rows = [
            participant(3, 5, eligible=False),
            participant(1, eligible=True, end_at=T + 9),
            participant(2),
        ]
        writer.write(saved(*rows))
        assert self.participants(ledger) == [rows[1], rows[2], rows[0]]
        assert self.participants(ledger, FULL) == []

    def test_saving_some_participants_leaves_the_others(self, ledger, writer):
        writer.write(saved(participant(1), participant(2)))
        writer.write(saved(participant(2, 9, eligible=True), participant(3)))
        assert self.participants(ledger) == [participant(1), participant(2, 9, eligible=True), participant(3)]

    def test_saving_all_participants_removes_the_others_of_that_event_alone(self, ledger, writer):
        writer.write(saved(participant(1), participant(2)), saved(participant(1), event_id=FULL.event_id))
        writer.write(saved(participant(2, 5), participant(3), whole=True))
        assert self.participants(ledger) == [participant(2, 5), participant(3)]
        assert self.participants(ledger, FULL) == [participant(1)]
        writer.write(saved(whole=True))
        assert self.participants(ledger) == []

    def test_what_came_before_all_participants_and_links_in_a_commit_goes_too(self, ledger, writer):
        writer.write(
            saved(participant(1), participant(2)),
            linked((1, T), (2, T)),
            saved(participant(2, 5), whole=True),
            linked((2, T), whole=True),
            saved(participant(3)),
            linked((3, T)),
        )
        assert self.participants(ledger) == [participant(2, 5), participant(3)]
        assert [it[2:] for it in self.links(ledger)] == [(2, T), (3, T)]

    def test_a_participant_may_be_dropped_and_come_again(self, ledger, writer):
        again = participant(1, 7)
        gone = DropParticipant(GUILD, EVENT.event_id, 1)
        writer.write(saved(participant(1, 3), participant(2)), gone, gone)
        assert self.participants(ledger) == [participant(2)]
        writer.write(saved(participant(1, 3)), gone, saved(again))
        assert self.participants(ledger) == [again, participant(2)]

    def test_participants_who_are_followed_leave_their_rows_as_they_were(self, ledger, writer):
        writer.write(saved(participant(1)))
        writer.write(FollowParticipants(GUILD, EVENT.event_id, (participant(1, 50), participant(2))))
        assert self.participants(ledger) == [participant(1)]

    def test_more_participants_than_one_statement_holds_are_all_there(self, ledger, writer):
        rows = tuple(participant(n, n) for n in range(1_000))
        writer.write(saved(*rows), linked(*((n, T) for n in range(1_000))))
        assert self.participants(ledger) == list(rows)
        assert len(self.links(ledger)) == 1_000

    def test_links_stay_until_they_are_taken_back(self, ledger, writer):
        writer.write(linked((1, T), (1, T + 5), (2, T)), linked((1, T), event_id=FULL.event_id))
        writer.write(linked((1, T)), UnlinkSession(GUILD, EVENT.event_id, 2, T))
        assert self.links(ledger) == [
            (EVENT.event_id, GUILD, 1, T),
            (EVENT.event_id, GUILD, 1, T + 5),
            (FULL.event_id, GUILD, 1, T),
        ]
        writer.write(linked((1, T + 5), (3, T), whole=True))
        assert self.links(ledger) == [
            (EVENT.event_id, GUILD, 1, T + 5),
            (EVENT.event_id, GUILD, 3, T),
            (FULL.event_id, GUILD, 1, T),
        ]

    def test_a_dropped_session_keeps_its_links_until_they_are_taken_back(self, ledger, writer):
        session = Session(1, CHANNEL, T, 0, T, T)
        writer.write(SaveSession(GUILD, session, T), linked((1, T)), DropSession(GUILD, 1, T, at=T + 9))
        assert self.links(ledger) == [(EVENT.event_id, GUILD, 1, T)]

    def test_how_a_guild_is_watched_is_told(self, ledger, writer):
        assert ledger.standing(GUILD) == Standing()
        writer.write(SaveGuild(GUILD, "Here", 8, "life/0/1", T, T + 5, True, 3, T))
        assert ledger.standing(GUILD) == Standing("life/0/1", T + 5, present=True, afk_channel_id=8)
        writer.write(SaveGuild(GUILD, "Here", None, None, T, None, False, 3, T))
        assert ledger.standing(GUILD) == Standing()

    def test_a_partition_has_its_own_guilds_events_only(self, open_ledger):
        even, odd = (Writer(open_ledger(number, 2)) for number in (0, 1))
        events = [replace(EVENT, event_id=n, guild_id=n << 22) for n in range(2, 6)]
        even.write(*(SaveEvent(it) for it in events if not it.event_id % 2))
        odd.write(*(SaveEvent(it) for it in events if it.event_id % 2))
        assert [it.event_id for it in even.ledger.open_events()] == [2, 4]
        assert [it.event_id for it in odd.ledger.open_events()] == [3, 5]
        assert [odd.ledger.load_event(it) for it in (2, 3)] == [None, events[1]]


class TestSqlLedger(OnSqlite, EventsContract):
    def test_open_events_are_found_without_looking_at_the_others(self, ledger, writer):
        def steps():
            count = []
            connection = ledger._reader.connection()
            connection.set_progress_handler(lambda: count.append(1), 1)
            ledger.open_events()
            connection.set_progress_handler(None, 1)
            return len(count)

        writer.write(SaveEvent(EVENT))
        few = steps()
        over = replace(EVENT, status=ENDED, settled=True)
        writer.write(*(SaveEvent(replace(over, event_id=n)) for n in range(1, 500)))
        assert steps() == few
