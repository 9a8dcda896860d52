"""What ended long ago goes, in portions, with its spans and links; results stay."""

import pytest
from msgspec.structs import replace

from engine.domain.effects import SaveMember, SaveSpan
from engine.domain.event_effects import SaveEvent
from engine.domain.events import EventStatus
from engine.storage import retention
from tests.storage.ledgers import (
    CSV,
    EVENT,
    GUILD,
    Contract,
    OnSqlite,
    T,
    Writer,
    awarded,
    linked,
    participant,
    saved,
    session,
)

EVENT_ID = EVENT.event_id
HORIZON = T + 1_000
OVER = replace(EVENT, status=EventStatus.ENDED, ended_at=T + 500, settled=True)


def span(joined_at, user_id=1):
    return SaveSpan(GUILD, user_id, T + joined_at, T + joined_at, T + joined_at + 1, 0)


class RetentionContract(Contract):
    def joins(self, ledger) -> list[int]:
        """Return when the sessions began, since T."""
        raise NotImplementedError

    def spans(self, ledger) -> list[int]:
        """Return of which sessions there are spans, by their ``joined_at`` since T."""
        raise NotImplementedError

    def names(self, ledger) -> list[str]:
        """Return what members are called, guild by guild, in order of their ids."""
        raise NotImplementedError

    def prune(self, ledger, before=HORIZON) -> int:
        """Remove all that is to go; return in how many portions."""
        portions = 1
        while ledger.prune(before):
            portions += 1
        return portions

    def test_sessions_that_ended_before_the_horizon_go_with_their_spans(self, ledger, writer):
        writer.write(session(0, 999), session(5, 1_000, 2), session(6, None, 3), span(0), span(5, 2))
        self.prune(ledger)
        assert (self.joins(ledger), self.spans(ledger)) == ([5, 6], [5])

    def test_one_that_may_have_lasted_longer_stays(self, ledger, writer):
        writer.write(session(0, 900, left_slack_ms=100), session(1, 900, 2, left_slack_ms=99))
        self.prune(ledger)
        assert self.joins(ledger) == [0]

    def test_a_name_goes_with_its_members_last_session_unless_a_result_names_them(self, ledger, writer):
        names = [SaveMember(GUILD, user, f"{user}") for user in (1, 2, 3, 4)]
        gone, elsewhere = [session(0, 9, user) for user in (1, 2, 3, 4)], SaveMember(GUILD + 1, 1, "there")
        writer.write(SaveEvent(OVER), saved(participant(3)), awarded(4, badges=CSV), *gone)
        writer.write(*names, elsewhere, session(5, 1_000, 2))
        self.prune(ledger)
        assert self.names(ledger) == ["2", "3", "4", "there"]

    def test_links_go_and_the_result_stays(self, ledger, writer):
        rows = participant(1, eligible=True), participant(2)
        writer.write(SaveEvent(OVER), session(0, 900), linked((1, T)), saved(*rows), awarded(1, badges=CSV))
        self.prune(ledger)
        assert (self.joins(ledger), self.links(ledger)) == ([], [])
        assert self.participants(ledger, OVER) == list(rows)
        assert len(self.badges(ledger)) == len(self.outbox(ledger)) == 1
        assert ledger.load_event(EVENT_ID) == OVER

    @pytest.mark.parametrize(
        "status",
        [{"status": EventStatus.ACTIVE}, {"status": EventStatus.ENDED, "ended_at": T + 900}],
        ids=["active", "unsettled"],
    )
    def test_what_an_event_may_have_to_be_scored_from_stays(self, ledger, writer, status):
        writer.write(SaveEvent(replace(EVENT, started_at=T + 500, **status)))
        writer.write(session(0, 400), session(1, 499, 2), session(2, 500, 3), session(3, 700, 4))
        writer.write(session(4, 490, 5, left_slack_ms=10), session(5, 700, 6, guild_id=GUILD + 1))
        self.prune(ledger)
        assert self.joins(ledger) == [2, 3, 4]

    @pytest.mark.parametrize(("sessions", "guilds"), [(1, 1_000), (2, 1_000), (1_000, 1), (1_000, 2)])
    def test_it_goes_in_portions_through_all_guilds(self, ledger, writer, monkeypatch, sessions, guilds):
        monkeypatch.setattr(retention, "SESSIONS", sessions)
        monkeypatch.setattr(retention, "GUILDS", guilds)
        writer.write(*(session(it, 900, it, GUILD + it % 3) for it in range(7)), session(8, 1_001))
        assert self.prune(ledger) > 1
        assert self.joins(ledger) == [8]

    def test_a_partition_leaves_the_guilds_of_others_alone(self, open_ledger):
        writers = [Writer(open_ledger(number, 2)) for number in (0, 1)]
        for number, writer in enumerate(writers):
            writer.write(session(number, 900, guild_id=number << 22))
        self.prune(writers[1].ledger)
        assert self.joins(writers[0].ledger) == [0]

    def test_a_second_round_finds_what_has_become_old_since(self, ledger, writer):
        writer.write(session(0, 900), session(1, 1_500, 2), session(2, 2_500, 3))
        self.prune(ledger)
        self.prune(ledger, T + 2_000)
        assert self.joins(ledger) == [2]


class TestRetentionOnSqlite(OnSqlite, RetentionContract):
    def joins(self, ledger):
        return [at for (at,) in self.rows(ledger, f"SELECT joined_at - {T} FROM session ORDER BY 1")]

    def names(self, ledger):
        return [it for (it,) in self.rows(ledger, "SELECT name FROM member ORDER BY guild_id, user_id")]

    def spans(self, ledger):
        return [at for (at,) in self.rows(ledger, f"SELECT joined_at - {T} FROM span ORDER BY 1")]
