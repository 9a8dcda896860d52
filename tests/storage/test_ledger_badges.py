"""What every ledger promises of badges and of what waits in the outbox."""

import pytest

from engine.domain.effects import GrantRole, PostMessage, SettleOutbox
from engine.domain.rules import BadgeRules
from tests.storage.ledgers import CSV, EVENT, GUILD, ROLE, WEBHOOK, Contract, OnSqlite, T, awarded


class BadgesContract(Contract):
    @pytest.mark.parametrize("commits", [1, 2])
    @pytest.mark.parametrize(("badges", "kind"), [(ROLE, "role"), (WEBHOOK, "webhook"), (CSV, "csv")])
    def test_a_badge_awarded_twice_is_delivered_once(self, ledger, writer, badges, kind, commits):
        effects = [awarded(1, 2, 1, badges=badges), awarded(2, 3, badges=badges, at=T + 9)]
        for part in {1: [effects], 2: [[it] for it in effects]}[commits]:
            writer.write(*part)
        given = {1: T, 2: T, 3: T + 9}
        ids = {it: f"badge-{EVENT.event_id}-{it}" for it in given}
        assert self.badges(ledger) == [
            (EVENT.event_id, it, GUILD, at, kind, ids[it]) for it, at in given.items()
        ]
        assert [(it["outbox_id"], it["kind"], it["status"], it["at"]) for it in self.outbox(ledger)] == [
            (ids[it], kind, "pending", at) for it, at in given.items()
        ]

    @pytest.mark.parametrize("badges", [WEBHOOK, CSV])
    def test_what_is_delivered_elsewhere_names_event_guild_user_and_moment(self, ledger, writer, badges):
        writer.write(awarded(1, badges=badges))
        (row,) = self.outbox(ledger)
        assert row["payload"] == {
            "eventId": "900",
            "guildId": str(GUILD),
            "userId": "1",
            "awardedAt": "2023-11-14T22:13:20.000Z",
        }
        assert ledger.pending_outbox(10) == []  # no business of Discord's

    def test_a_badge_as_a_role_is_one_to_grant(self, ledger, writer):
        writer.write(awarded(1, badges=ROLE))
        assert ledger.pending_outbox(10) == [GrantRole("badge-900-1", GUILD, 1, 44, T)]

    @pytest.mark.parametrize("badges", [BadgeRules(), BadgeRules("role")])
    def test_a_badge_for_nobody_to_deliver_is_its_record(self, ledger, writer, badges):
        writer.write(awarded(1, badges=badges))
        assert self.badges(ledger) == [(900, 1, GUILD, T, badges.distributor, None)]
        assert self.outbox(ledger) == []

    def test_who_has_the_badge_gets_no_delivery_when_one_is_set_up_later(self, ledger, writer):
        writer.write(awarded(1, badges=BadgeRules()))
        writer.write(awarded(1, 2, badges=ROLE, at=T + 5))
        assert self.badges(ledger) == [
            (900, 1, GUILD, T, "none", None),
            (900, 2, GUILD, T + 5, "role", "badge-900-2"),
        ]
        assert [it["outbox_id"] for it in self.outbox(ledger)] == ["badge-900-2"]

    @pytest.mark.parametrize("ok", [True, False])
    def test_a_delivery_that_has_its_outcome_is_not_made_again(self, ledger, writer, ok):
        writer.write(awarded(1, badges=ROLE))
        writer.write(SettleOutbox("badge-900-1", ok=ok, detail="", at=T + 5))
        writer.write(awarded(1, badges=ROLE))
        assert ledger.pending_outbox(10) == []

    def test_messages_and_roles_wait_in_one_line(self, ledger, writer):
        effects = [
            GrantRole("b", GUILD, 2, 3, T),
            PostMessage("c", GUILD, 9, "text", T + 1),
            GrantRole("a", GUILD, 1, 3, T + 2),
        ]
        writer.write(effects[2], awarded(1), effects[0], effects[1], effects[0])
        assert ledger.pending_outbox(10) == effects
        assert ledger.pending_outbox(2) == effects[:2]


class TestSqlLedger(OnSqlite, BadgesContract):
    def test_a_message_of_the_first_release_is_still_sent(self, ledger, writer):
        payload = '{"outbox_id":"gap-1","guild_id":4194304,"channel_id":9,"content":"a gap","at":5}'
        ledger._writer.execute_sql(
            "INSERT INTO outbox (outbox_id, guild_id, kind, payload, status, created_at, detail)"
            " VALUES ('gap-1', 4194304, 'message', ?, 'pending', 5, '')",
            (payload,),
        )
        writer.write(awarded(1, badges=ROLE))
        assert ledger.pending_outbox(10) == [
            PostMessage("gap-1", GUILD, 9, "a gap", 5),
            GrantRole("badge-900-1", GUILD, 1, 44, T),
        ]
