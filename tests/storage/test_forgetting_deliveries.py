"""What every ledger promises of who is forgotten: no delivery and no dead letter tells of them."""

import pytest

from engine.domain.effects import ForgetMember, SettleOutbox
from engine.domain.event_effects import SaveEvent
from engine.domain.inputs import Entry, OutboxOutcome, VoiceStateChanged
from engine.storage.journal import encode
from engine.storage.protocols import DeadLetter
from tests.storage.forgetting import EVENT_ID, GONE, NOTHING, OTHER, Forgetting, ForgettingOnSqlite
from tests.storage.ledgers import CSV, EVENT, GUILD, ROLE, T, awarded, participant, saved


class ForgottenDeliveriesContract(Forgetting):
    def test_a_participant_who_left_no_session_gets_one_too_and_so_does_who_has_a_badge(self, ledger, writer):
        writer.write(
            SaveEvent(EVENT), saved(participant(GONE), participant(OTHER)), awarded(OTHER, badges=CSV)
        )
        self.forget(writer)
        assert [it.user_id for it in self.participants(ledger)] == [-1, OTHER]
        self.forget(writer, ForgetMember(OTHER, T + 1_001))
        assert [it.user_id for it in self.participants(ledger)] == [-2, -1]
        assert [it[1] for it in self.badges(ledger)] == [-2]

    def test_no_badge_is_delivered_any_more(self, ledger, writer):
        writer.write(SaveEvent(EVENT), awarded(GONE, OTHER, badges=ROLE))
        counts = self.forget(writer)
        assert [it.user_id for it in ledger.pending_outbox(10)] == [OTHER]
        assert self.badges(ledger)[0] == (EVENT_ID, -1, GUILD, T, "role", None)
        assert (counts["badges"], counts["deliveries"]) == (1, 1)

    @pytest.mark.parametrize("ok", [True, False])
    @pytest.mark.parametrize("badges", [ROLE, CSV])
    def test_a_delivery_that_is_over_loses_the_id(self, ledger, writer, badges, ok):
        outcome = SettleOutbox(f"badge-{EVENT_ID}-{GONE}", ok, f"no member {GONE}", T)
        writer.write(SaveEvent(EVENT), awarded(GONE, badges=badges), outcome)
        self.forget(writer)
        (row,) = self.outbox(ledger)
        assert row["outbox_id"] == f"badge-{EVENT_ID}-forgotten-1"
        assert self.badges(ledger)[0][-1] == row["outbox_id"]
        payload = row["payload"]
        assert payload.get("user_id", payload.get("userId")) in (-1, "forgotten-1")
        assert payload.get("outbox_id", row["outbox_id"]) == row["outbox_id"]

    def test_who_was_forgotten_may_earn_a_badge_that_is_delivered_to_nobody(self, ledger, writer):
        writer.write(SaveEvent(EVENT), awarded(-1, OTHER, badges=ROLE))
        assert [it[1::4] for it in self.badges(ledger)] == [(-1, None), (OTHER, f"badge-{EVENT_ID}-{OTHER}")]
        assert [it.user_id for it in ledger.pending_outbox(10)] == [OTHER]

    def test_dead_letters_that_hold_them_are_gone(self, ledger, writer):
        def letter(number, what):
            return DeadLetter(f"{number}-0", GUILD, encode(Entry("life", number, what)), "why", T)

        big = 175_928_847_299_117_063
        torn = encode(Entry("life", 9, VoiceStateChanged(T, GUILD, big, 7)))[:-1]
        writer.write(
            dead_letters=[
                letter(1, VoiceStateChanged(T, GUILD, big, 7)),
                letter(2, VoiceStateChanged(T, GUILD, OTHER, 7)),
                letter(3, OutboxOutcome(T, GUILD, f"badge-9-{big}", ok=True)),
                DeadLetter("4-0", None, torn, "the checksum does not match", T),
                DeadLetter("5-0", None, b"noise", "the checksum does not match", T),
                DeadLetter("6-0", GUILD, b"", f"KeyError: {big}", T),
            ]
        )
        assert self.forget(writer, ForgetMember(big, T)) == NOTHING | {"deadLetters": 4}
        assert self.letters(ledger) == ["2-0", "5-0"]


class TestForgottenDeliveriesOnSqlite(ForgettingOnSqlite, ForgottenDeliveriesContract):
    """The ledger on real SQLite files."""
