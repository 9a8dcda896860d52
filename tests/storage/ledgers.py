"""What the ledger's contract tests stand on."""

import json
from itertools import count

import pytest
from msgspec.structs import replace

from engine.domain.attendance import Participant
from engine.domain.effects import SaveSession, Status
from engine.domain.event_effects import AwardBadges, LinkSessions, SaveParticipants
from engine.domain.events import Event, EventStatus, Policy
from engine.domain.rules import BadgeRules
from engine.domain.sessions import Session
from engine.storage.ledger import SqlLedger
from engine.storage.protocols import Commit

T = 1_700_000_000_000
GUILD, USER, CHANNEL = 1 << 22, 7, 70
EVENT = Event(
    900, GUILD, "Night watch", (CHANNEL,), EventStatus.ACTIVE, started_at=T, created_at=T, updated_at=T
)
FULL = Event(
    event_id=901,
    guild_id=GUILD,
    name="Überfahrt 🚢",
    channel_ids=(CHANNEL, 2**63 - 1),
    status=EventStatus.ENDED,
    starts_at=T,
    ends_at=T + 9,
    started_at=T + 1,
    ended_at=T + 8,
    required_role_ids=(3, 2),
    match_all=True,
    min_duration_ms=2**33,
    min_share=0.1,
    policy=Policy(False, False, False, True, False, True),
    source="discord",
    discord_event_id=77,
    afk_channel_id=8,
    created_at=T - 5,
    updated_at=T + 8,
    settled=True,
)
ROLE, WEBHOOK, CSV = BadgeRules("role", 44), BadgeRules("webhook"), BadgeRules("csv")


def participant(user_id, counted_ms=0, *, eligible=None, end_at=None):
    return Participant(user_id, T, T + 1, end_at, (counted_ms, 1, 2, 3, 4, 5, 6, 7), eligible)


def saved(*rows, whole=False, event_id=EVENT.event_id):
    return SaveParticipants(GUILD, event_id, rows, whole=whole)


def linked(*sessions, whole=False, event_id=EVENT.event_id):
    return LinkSessions(GUILD, event_id, sessions, whole=whole)


def awarded(*user_ids, badges=WEBHOOK, at=T, event_id=EVENT.event_id):
    return AwardBadges(GUILD, event_id, user_ids, badges, at)


def session(joined_at, left_at=None, user_id=1, guild_id=GUILD, left_slack_ms=0, **fields):
    """Return the effect that saves a session; the two moments are counted from ``T``."""
    at = T + joined_at
    it = Session(user_id, CHANNEL, at, 0, at, at, gateway_session_id="secret")
    status = Status.ACTIVE if left_at is None else Status.COMPLETED
    end = None if left_at is None else T + left_at
    return SaveSession(guild_id, replace(it, **fields), at, end, left_slack_ms, status)


class Writer:
    """Commits one batch after the other, as a partition does."""

    def __init__(self, ledger) -> None:
        self.ledger = ledger
        self.state = ledger.load_partition()

    def write(self, *effects, now=T, **facts) -> Commit:
        commit = self.prepare(*effects, now=now, **facts)
        self.ledger.commit(commit)
        self.state = commit.state
        return commit

    def prepare(self, *effects, now=T, **facts) -> Commit:
        of_commit = {name: facts.pop(name) for name in set(facts) & set(Commit.__dataclass_fields__)}
        cursor = f"{int(self.state.cursor.partition('-')[0]) + 1}-0"
        state = replace(self.state, cursor=cursor, now=now, **facts)
        return Commit(self.state.cursor, state, list(effects), **of_commit)


class Contract:
    """What another back-end's subclass gives: ``open_ledger(partition, partitions, fresh=False)``."""

    @pytest.fixture
    def open_ledger(self):
        raise NotImplementedError

    @pytest.fixture
    def ledger(self, open_ledger):
        return open_ledger()

    @pytest.fixture
    def writer(self, ledger):
        return Writer(ledger)

    def participants(self, ledger, event=EVENT):
        return ledger.load_attendance(event).participants

    # What a back-end's tests must be able to look up.

    def links(self, ledger) -> list[tuple]:
        """Return ``(event_id, guild_id, user_id, joined_at)``, in order of event, user and moment."""
        raise NotImplementedError

    def badges(self, ledger) -> list[tuple]:
        """Return ``(event_id, user_id, guild_id, awarded_at, distributor, outbox_id)``, in order."""
        raise NotImplementedError

    def outbox(self, ledger) -> list[dict]:
        """Return the outbox in order of its ids, the payloads decoded."""
        raise NotImplementedError


class OnSqlite:
    """The ledger on real SQLite files."""

    @pytest.fixture
    def open_ledger(self, tmp_path):
        opened, files = [], count()

        def open_ledger(partition=0, partitions=1, *, fresh=False):
            name = f"fresh-{next(files)}.db" if fresh else "rollcall.db"
            opened.append(SqlLedger(tmp_path / name, partition, partitions))
            return opened[-1]

        yield open_ledger
        for ledger in opened:
            ledger.close()

    def rows(self, ledger, sql):
        return ledger._reader.execute_sql(sql).fetchall()

    def links(self, ledger):
        sql = "SELECT event_id, guild_id, user_id, joined_at FROM eventsession ORDER BY 1, 3, 4"
        return self.rows(ledger, sql)

    def badges(self, ledger):
        columns = "event_id, user_id, guild_id, awarded_at, distributor, outbox_id"
        return self.rows(ledger, f"SELECT {columns} FROM badge ORDER BY 1, 2")

    def outbox(self, ledger):
        columns = ("outbox_id", "kind", "payload", "status", "at", "settled_at")
        sql = "SELECT outbox_id, kind, payload, status, created_at, settled_at FROM outbox ORDER BY 1"
        found = [dict(zip(columns, row, strict=True)) for row in self.rows(ledger, sql)]
        return [row | {"payload": json.loads(row["payload"])} for row in found]
