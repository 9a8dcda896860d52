"""What every ledger promises of a commit: all of it or nothing, once, and what its effects do one by one."""

from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.domain.effects import GrantRole, PostMessage, SaveSession, SettleOutbox
from engine.domain.event_effects import (
    Answer,
    AwardBadges,
    DropParticipant,
    FollowParticipants,
    LinkSessions,
    SaveEvent,
    SaveParticipants,
    UnlinkSession,
)
from engine.domain.events import EventStatus
from engine.domain.rules import BadgeRules
from engine.domain.sessions import Session
from engine.storage.protocols import StorageError
from tests.actors.rows import Rows
from tests.storage.ledgers import (
    CHANNEL,
    CSV,
    EVENT,
    FULL,
    GUILD,
    ROLE,
    WEBHOOK,
    Contract,
    OnSqlite,
    T,
    Writer,
    awarded,
    linked,
    participant,
    saved,
)

IDS = (900, 901)
events = st.builds(
    replace,
    st.sampled_from([EVENT, FULL]),
    status=st.sampled_from(EventStatus),
    name=st.sampled_from(["a", "b"]),
    settled=st.booleans(),
)
users, moments = st.integers(1, 3), st.sampled_from([T, T + 1])
rows = st.lists(
    st.builds(participant, users, st.integers(0, 3), eligible=st.sampled_from([None, False, True]))
)
sessions = st.lists(st.tuples(users, moments), max_size=4)
rules = st.sampled_from([BadgeRules(), ROLE, WEBHOOK, CSV])
outbox_ids = st.sampled_from(["o", "r", *(f"badge-{it}-{user}" for it in IDS for user in (1, 2, 3))])
ids = st.sampled_from(IDS)
EFFECTS = st.one_of(
    st.builds(SaveEvent, events),
    st.builds(SaveParticipants, st.just(GUILD), ids, rows.map(tuple), st.booleans()),
    st.builds(DropParticipant, st.just(GUILD), ids, users),
    st.builds(FollowParticipants, st.just(GUILD), ids, rows.map(tuple)),
    st.builds(LinkSessions, st.just(GUILD), ids, sessions.map(tuple), st.booleans()),
    st.builds(UnlinkSession, st.just(GUILD), ids, users, moments),
    st.builds(AwardBadges, st.just(GUILD), ids, st.lists(users, max_size=4).map(tuple), rules, moments),
    st.builds(PostMessage, st.just("o"), st.just(GUILD), st.just(9), st.sampled_from("ab"), moments),
    st.builds(GrantRole, st.sampled_from("or"), st.just(GUILD), users, st.just(9), moments),
    st.builds(SettleOutbox, outbox_ids, st.booleans(), st.just(""), moments),
    st.builds(Answer, st.just("request")),
)


def expected(apart: Rows):
    """Return what ``everything`` must be, of effects folded one by one."""
    kinds = {
        it: "message" if isinstance(effect, PostMessage) else "role" for it, effect in apart.outbox.items()
    }
    kinds |= {it: kind for it, (kind, _) in apart.deliveries.items()}
    settled = {it: ("done" if how.ok else "failed", how.at) for it, how in apart.outcomes.items()}
    participants = defaultdict(list)
    for (event_id, _), row in sorted(apart.participants.items()):
        participants[event_id].append(row)
    return {
        "events": [apart.events.get(it) for it in IDS],
        "open": apart.open_events(),
        "participants": [participants[it] for it in IDS],
        "links": sorted(apart.links),
        "badges": [(*key, GUILD, *badge) for key, badge in sorted(apart.badges.items())],
        "outbox": {it: (kind, *settled.get(it, ("pending", None))) for it, kind in kinds.items()},
        "elsewhere": {it: payload for it, (_, payload) in apart.deliveries.items()},
        "pending": {it: effect for it, effect in apart.outbox.items() if it not in settled},
    }


class CommitContract(Contract):
    def test_a_commit_given_again_does_nothing(self, ledger, writer):
        first = writer.write(SaveEvent(EVENT), saved(participant(1)), linked((1, T)), awarded(1))
        before = self.everything(ledger)
        ledger.commit(first)
        assert self.everything(ledger) == before

    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(effects=st.lists(EFFECTS, max_size=14), data=st.data())
    def test_commits_joined_come_to_what_their_effects_do_one_by_one(self, open_ledger, effects, data):
        cuts = sorted(data.draw(st.sets(st.integers(0, len(effects))), label="cuts"))
        joined, apart = Writer(open_ledger(fresh=True)), Rows()
        for start, end in zip([0, *cuts], [*cuts, len(effects)], strict=True):
            joined.write(*effects[start:end])
            # Guilds' effects come before events' in a batch: an outcome may stand before its badge.
            for effect in sorted(effects[start:end], key=lambda it: isinstance(it, SettleOutbox)):
                apart.apply(effect)
        assert self.everything(joined.ledger) == expected(apart)
        joined.ledger.close()

    def everything(self, ledger):
        """Return all that there is of events and of the outbox."""
        rows = {row["outbox_id"]: row for row in self.outbox(ledger)}
        return {
            "events": [ledger.load_event(it) for it in IDS],
            "open": ledger.open_events(),
            "participants": [self.participants(ledger, replace(EVENT, event_id=it)) for it in IDS],
            "links": self.links(ledger),
            "badges": self.badges(ledger),
            "outbox": {it: (row["kind"], row["status"], row["settled_at"]) for it, row in rows.items()},
            "elsewhere": {
                it: row["payload"] for it, row in rows.items() if row["kind"] in ("webhook", "csv")
            },
            "pending": {it.outbox_id: it for it in ledger.pending_outbox(1_000)},
        }


class TestSqlLedger(OnSqlite, CommitContract):
    @pytest.mark.parametrize("table", ["event", "participant", "eventsession", "badge", "outbox"])
    def test_a_statement_that_fails_leaves_nothing_of_its_commit(self, ledger, writer, table):
        ledger._writer.execute_sql(f"ALTER TABLE {table} RENAME TO away")
        effects = [SaveEvent(EVENT), saved(participant(1), whole=True), linked((1, T)), awarded(1)]
        with pytest.raises(StorageError, match=f"no such table: .*{table}"):
            writer.write(SaveSession(GUILD, Session(1, CHANNEL, T, 0, T, T), T), *effects)
        ledger._writer.execute_sql(f"ALTER TABLE away RENAME TO {table}")
        assert ledger.load_partition() == writer.state
        assert ledger.load_guild(GUILD, T).sessions == {}
        assert self.everything(ledger) == expected(Rows())

    def test_an_event_of_any_size_begins_and_ends_in_one_transaction_each(self, ledger, writer):
        told = []
        ledger._writer.connection().set_trace_callback(told.append)
        everybody = tuple(participant(n) for n in range(2_000))
        of_them = tuple((n, T) for n in range(2_000))
        writer.write(SaveEvent(EVENT), saved(*everybody, whole=True), linked(*of_them, whole=True))
        writer.write(
            SaveEvent(replace(EVENT, status=EventStatus.ENDED)),
            saved(*everybody, whole=True),
            awarded(*range(2_000)),
        )
        assert [it for it in told if it in ("BEGIN IMMEDIATE", "COMMIT")] == ["BEGIN IMMEDIATE", "COMMIT"] * 2
        assert len(told) < 200
