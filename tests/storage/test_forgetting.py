"""What every ledger promises of who is forgotten: only what events need stays, without a name."""

from dataclasses import replace as replaced

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.domain.effects import ForgetMember, SaveMember, SaveSpan
from engine.domain.event_effects import SaveEvent
from engine.domain.participation import attendees, entries, score
from tests.storage.forgetting import EVENT_ID, FORGET, GONE, NOTHING, OTHER, Forgetting, ForgettingOnSqlite
from tests.storage.held import USERS, held, saved
from tests.storage.ledgers import CSV, EVENT, GUILD, T, Writer, awarded, linked, participant, session
from tests.storage.ledgers import saved as seen


def span(joined_at, started_at, ended_at, roles=(), user_id=GONE):
    return SaveSpan(GUILD, user_id, T + joined_at, T + started_at, T + ended_at, 0, roles)


class ForgettingContract(Forgetting):
    def test_what_no_event_reads_is_removed_with_its_spans(self, ledger, writer):
        elsewhere = session(500, 600, channel_id=71)
        before = session(-200, -100)
        other = session(0, 100, user_id=OTHER)
        writer.write(
            SaveEvent(EVENT), elsewhere, before, other, span(500, 500, 550), span(0, 0, 5, (), OTHER)
        )
        counts = self.forget(writer)
        assert self.sessions(ledger) == [(OTHER, 0, 100, 1)]
        assert self.spans(ledger) == [(OTHER, 0, 0, ())]
        assert counts == NOTHING | {"sessions": 2, "spans": 1}

    def test_what_an_event_reads_stays_under_a_pseudonym_with_what_it_needs(self, ledger, writer):
        it = replace(EVENT, required_role_ids=(3,))
        writer.write(
            SaveEvent(it),
            session(100, 200, roles=(3, 4)),
            span(100, 100, 150, (2, 3)),
            span(100, 150, 180, (4,)),
            seen(participant(GONE)),
            linked((GONE, T + 100)),
        )
        counts = self.forget(writer)
        assert self.sessions(ledger) == [(-1, 100, 200, 1)]
        assert self.spans(ledger) == [(-1, 100, 100, (3,)), (-1, 100, 150, ())]
        assert self.links(ledger) == [(EVENT_ID, GUILD, -1, T + 100)]
        found = ledger.load_attendance(it)
        assert [(stay.user_id, stay.roles) for stay in found.stays] == [(-1, (3,))]
        assert found.participants == [participant(-1)]
        touched = {"anonymizedSessions": 1, "anonymizedSpans": 2, "participants": 1}
        assert counts == NOTHING | touched

    def test_their_names_are_removed_in_all_guilds(self, ledger, writer):
        names = [(GUILD, GONE, "Gone"), (GUILD + 5, GONE, "Gone there"), (GUILD, OTHER, "Other")]
        writer.write(session(0, 9), seen(participant(GONE)), *(SaveMember(*it) for it in names))
        counts = self.forget(writer)
        assert self.names(ledger) == names[2:]
        assert counts == NOTHING | {"sessions": 1, "participants": 1, "names": 2}

    def test_a_session_without_the_roles_stays_too(self, ledger, writer):
        """It is no session of the event, but its time is told, and others were not alone."""
        writer.write(SaveEvent(replace(EVENT, required_role_ids=(3,))), session(100, 200))
        self.forget(writer)
        assert self.sessions(ledger) == [(-1, 100, 200, 1)]

    def test_an_open_session_of_an_event_ends_then_and_another_is_gone(self, ledger, writer):
        writer.write(SaveEvent(EVENT), session(100), session(100, channel_id=71, guild_id=GUILD + 1))
        self.forget(writer)
        assert self.sessions(ledger) == [(-1, 100, 1_000, 1)]
        assert ledger.load_guild(GUILD, T).sessions == {}
        assert ledger.load_guild(GUILD + 1, T).sessions == {}
        assert [it for _, it in ledger.open_sessions()] == []

    def test_an_open_session_ends_not_before_its_last_boundary(self, ledger, writer):
        writer.write(SaveEvent(EVENT), session(100, span_at=T + 1_200))
        self.forget(writer)
        assert self.sessions(ledger) == [(-1, 100, 1_200, 1)]

    def test_an_open_session_that_is_then_too_short_leaves_no_row_but_its_participant(self, ledger, writer):
        writer.write(SaveEvent(EVENT), session(900), seen(participant(GONE)), linked((GONE, T + 900)))
        counts = self.forget(writer, replace(FORGET, min_session_ms=101))
        assert (self.sessions(ledger), self.links(ledger)) == ([], [])
        assert self.participants(ledger) == [participant(-1)]
        assert (counts["sessions"], counts["anonymizedSessions"]) == (1, 0)

    def test_a_chain_runs_through_what_was_removed(self, ledger, writer):
        chain = {"chain_at": T + 100}
        writer.write(
            SaveEvent(EVENT),
            session(100, 200, channel_id=71),
            session(200, 300, previous_at=T + 100, **chain),
            session(300, 400, channel_id=71, previous_at=T + 200, **chain),
            session(400, 500, previous_at=T + 300, **chain),
            session(600, 700),
        )
        self.forget(writer)
        assert self.chains(ledger) == [(200, 200, None), (400, 200, 200), (600, 600, None)]

    def test_nothing_of_the_gateway_stays(self, ledger, writer):
        writer.write(SaveEvent(EVENT), session(100, 200))
        self.forget(writer)
        assert self.gateway_sessions(ledger) == [None]

    def test_the_next_to_be_forgotten_gets_the_next_pseudonym(self, ledger, writer):
        writer.write(SaveEvent(EVENT), session(100, 200), session(110, 200, user_id=OTHER))
        self.forget(writer)
        self.forget(writer, ForgetMember(OTHER, T + 1_001))
        assert self.sessions(ledger) == [(-1, 100, 200, 1), (-2, 110, 200, 1)]

    def test_partitions_forget_their_own_guilds_under_pseudonyms_of_their_own(self, open_ledger):
        """One file, two partitions: guild 0 is of the first, guild 1 of the second."""
        writers = [Writer(open_ledger(number, 2)) for number in (0, 1)]
        events = [replace(EVENT, event_id=900 + guild, guild_id=guild << 22) for guild in (2, 3)]
        for writer, it in zip(writers, events, strict=True):
            writer.write(SaveEvent(it), session(100, 200, guild_id=it.guild_id))
        assert [it.ledger.guilds_of(GONE) for it in writers] == [[2 << 22], [3 << 22]]
        self.forget(writers[0])
        assert self.sessions(writers[0].ledger) == [(-1, 100, 200, 1), (GONE, 100, 200, 1)]
        self.forget(writers[1])
        assert self.sessions(writers[0].ledger) == [(-2, 100, 200, 1), (-1, 100, 200, 1)]

    def test_twice_forgotten_is_harmless(self, ledger, writer):
        writer.write(SaveEvent(EVENT), session(100, 200), seen(participant(GONE)), awarded(GONE, badges=CSV))
        self.forget(writer)
        before = self.sessions(ledger), self.participants(ledger), self.badges(ledger)
        assert self.forget(writer, replace(FORGET, at=T + 2_000)) == NOTHING
        assert (self.sessions(ledger), self.participants(ledger), self.badges(ledger)) == before

    def test_a_commit_taken_again_forgets_nothing_again(self, ledger, writer):
        writer.write(SaveEvent(EVENT), session(100, 200))
        commit = writer.prepare(FORGET, now=FORGET.at)
        assert ledger.commit(commit)["anonymizedSessions"] == 1
        assert ledger.commit(commit) == {}

    def test_who_comes_back_is_somebody_new(self, ledger, writer):
        writer.write(SaveEvent(EVENT), session(100, 200))
        self.forget(writer)
        writer.write(session(2_000, 2_100))
        assert self.sessions(ledger) == [(-1, 100, 200, 1), (GONE, 2_000, 2_100, 1)]

    def test_it_is_remembered_as_long_as_the_partition_says(self, open_ledger, ledger, writer):
        self.forget(writer)
        assert open_ledger().load_partition().forgotten == {GONE: FORGET.at}
        writer.write(forgotten={GONE: 1, OTHER: 2})  # not said to have changed
        assert ledger.load_partition().forgotten == {GONE: FORGET.at}
        writer.write(forgotten={}, forgotten_changed=True)
        assert open_ledger().load_partition().forgotten == {}

    @settings(
        max_examples=100,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(held(), st.sampled_from([*(it for it in USERS if it > 0), 10]))
    def test_an_events_result_is_the_same_by_any_name(self, open_ledger, at_hand, user_id):
        # Who leaves at the very beginning of an event was not in it.
        now = 1 + max([at_hand.now, *(it.left_at or it.span_at for it in at_hand.stays)])
        at_hand = replaced(at_hand, now=now)
        event = at_hand.event
        writer = self.holding(open_ledger, at_hand)
        before = self.result(writer.ledger, event, now)
        self.forget(writer, ForgetMember(user_id, now))
        name = min([0, *(it.user_id for it in (*at_hand.stays, *at_hand.glimpsed))]) - 1
        expected = {name if it == user_id else it: row for it, row in before.items()}
        assert self.result(writer.ledger, event, now) == expected

    def holding(self, open_ledger, at_hand):
        writer = Writer(open_ledger(fresh=True))
        known = attendees(at_hand.event, at_hand.here, at_hand.glimpsed)
        rows = entries(known) if at_hand.event.is_open else at_hand.result
        writer.write(
            *(effect for stay in at_hand.stays for effect in saved(stay)),
            SaveEvent(at_hand.event),
            seen(*rows, whole=True),
            now=at_hand.now,
        )
        return writer

    def result(self, ledger, event, now):
        """Return each participant's time, by reason."""
        found = ledger.load_attendance(event)
        scores = score(event, attendees(event, found.stays, found.participants), now)
        return {it: (row.entered_at, row.start_at, row.tally, row.eligible) for it, row in scores.items()}


class TestForgettingOnSqlite(ForgettingOnSqlite, ForgettingContract):
    """The ledger on real SQLite files."""
