"""What others see is compared with the ledger and repaired: on a real engine, Redis and database."""

import sqlite3
import threading
from contextlib import closing

import pytest

from engine.actors.reconciling import reconcile_samples
from engine.commands import NotCommitted
from engine.domain.event_inputs import CreateEvent, EventFields, StartEvent
from engine.domain.inputs import GuildSnapshot, Heartbeat, ShardBeat, VoiceState
from engine.storage.live_events import active_key
from engine.storage.protocols import StorageBusy
from engine.storage.redis_client import connect
from tests.api.running import GUILD, LOUNGE, MINUTE, NOON, STAGE, RunningEngine, update

OTHER = 12
LIVE = "rollcall:live:"
KEY = f"{LIVE}{GUILD}"


@pytest.fixture
def client(redis_url):
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def running(redis_url, tmp_path):
    """Three people in two channels of one guild, one in another."""
    with RunningEngine(redis_url, tmp_path) as running:
        # The start's own check is over by then, and would have told of a mirror that is not there yet.
        assert found(running) == {}
        running.tell(
            *(update(NOON + it, it, LOUNGE if it < 3 else STAGE) for it in (1, 2, 3)),
            GuildSnapshot(NOON, OTHER, "c1", (VoiceState(4, 40),), name="Other"),
            at=NOON + MINUTE,
        )
        yield running


def held(running):
    """Have an event begin in which two take part, one of them deaf."""
    fields = EventFields(name="Night", channel_ids=(LOUNGE,))
    running.desk.carry_out(CreateEvent(NOON + MINUTE, GUILD, 900, fields, request_id="a"))
    running.desk.carry_out(StartEvent(NOON + MINUTE, GUILD, 900, request_id="b"))
    running.tell(update(NOON + MINUTE + 1, 2, LOUNGE, 1), at=NOON + 2 * MINUTE)


def found(running):
    told = running.engine.reconcile()
    assert told["errors"] == []
    return told["differences"]


def test_an_engine_that_is_well_differs_in_nothing(running):
    held(running)
    told = running.engine.reconcile()
    assert (told["guilds"], told["sessions"], told["events"], told["differences"]) == (2, 4, 1, {})
    assert (told["journalRewinds"], told["errors"]) == (0, [])


WRONG = {
    "a session is missing": (lambda it: it.hdel(KEY, "1"), {"live_missing": 1}),
    "a guild is missing": (lambda it: it.delete(KEY), {"live_missing": 3}),
    "a session is another": (lambda it: it.hset(KEY, "1", b"x"), {"live_other": 1}),
    "somebody is there who is not": (lambda it: it.hset(KEY, "77", b"x"), {"live_stale": 1}),
    "a guild is there in which nobody is": (
        lambda it: it.hset("rollcall:live:999", mapping={"1": b"x", "2": b"y"}),
        {"live_stale": 2},
    ),
    "a key is of another type": (
        lambda it: (it.delete(KEY), it.set(KEY, "x")),
        {"live_missing": 3, "live_stale": 1},
    ),
    "the mirror stands elsewhere": (lambda it: it.set("rollcall:live:cursor:0", "1-0"), {"live_cursor": 1}),
    "an event is missing": (lambda it: it.delete(active_key(GUILD)), {"live_events": 1}),
    "an event is another in its channel": (
        lambda it: it.hset(active_key(GUILD, LOUNGE), "900", b"{}"),
        {"live_events": 1},
    ),
    "a participant is missing": (lambda it: it.srem(f"{LIVE}event:900:users", "1"), {"live_events": 1}),
    "an event is there that is over": (lambda it: it.hset(f"{LIVE}events", "901", "10"), {"live_events": 1}),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_differs_is_counted_by_kind_and_is_right_afterwards(running, client, wrong):
    held(running)
    change, differences = WRONG[wrong]
    change(client)
    assert found(running) == differences
    assert found(running) == {}
    assert set(running.live.read(GUILD)) == {1, 2, 3}
    assert sorted(running.live.guilds()) == [GUILD, OTHER]
    totals = {it.labels["kind"]: it.value for it in samples(running) if it.value and it.labels}
    assert totals == differences


def samples(running):
    return list(reconcile_samples((it.reconciler for it in running.engine.inside), 0))


def test_a_journal_behind_the_cursor_is_read_anew_and_told(running, client):
    client.delete("rollcall:journal:0")
    assert running.engine.reconcile()["journalRewinds"] == 1


def test_sessions_that_no_connection_confirmed_are_told_until_a_snapshot_settles_them(running, monkeypatch):
    monkeypatch.setattr("tests.api.running.CONNECTION", "c2")
    lost = ShardBeat(0, "c1", connected=False, alive_at=NOON + MINUTE)
    running.tell(Heartbeat(NOON + 2 * MINUTE, (lost,)), at=NOON + 2 * MINUTE)
    assert found(running) == {"sessions_unconfirmed": 4}
    assert found(running) == {"sessions_unconfirmed": 4}
    assert running.engine.inside[0].reconciler.totals == {"sessions_unconfirmed": 4}, "counted once"
    there = VoiceState(4, 40)
    running.tell(GuildSnapshot(NOON + 3 * MINUTE, OTHER, "c2", (there,), name="Other"), at=NOON + 3 * MINUTE)
    assert found(running) == {"sessions_unconfirmed": 3}


def test_open_sessions_of_a_guild_that_the_bot_left_are_closed_by_the_journal(running):
    with closing(sqlite3.connect(running.path)) as database:
        database.execute("UPDATE guild SET present = 0 WHERE guild_id = ?", (OTHER,))
        database.commit()
    assert found(running) == {"sessions_of_lost_guilds": 1}
    running.tell(at=NOON + 3 * MINUTE)
    assert found(running) == {}
    with closing(sqlite3.connect(running.path)) as database:
        assert database.execute("SELECT status FROM session WHERE guild_id = ?", (OTHER,)).fetchall() == [
            (2,)
        ]


def test_a_check_beside_a_stream_of_commits_finds_nothing_that_is_not(running):
    """Each portion is compared at one cursor, however many commits come between two."""
    told, over = [], threading.Event()

    def ask():
        while not over.is_set() and len(told) < 12:
            told.append(running.engine.reconcile()["differences"])

    asking = threading.Thread(target=ask)
    asking.start()
    for n in range(60):
        at, users = NOON + 2 * MINUTE + n * 1_000, range(n % 7, 40, 3)
        running.tell(*(update(at, 100 + it, (LOUNGE, STAGE, None)[(n + it) % 3]) for it in users), at=at)
    over.set()
    asking.join(30)
    assert told
    assert all(it == {} for it in told)


def test_where_redis_is_away_the_check_says_so(running, monkeypatch):
    reconciler = running.engine.inside[0].reconciler

    def away(*_):
        raise ConnectionError("connection refused")

    monkeypatch.setattr(reconciler._compared, "cursor", away)
    assert running.engine.reconcile()["errors"] == ["connection refused"]


def test_a_check_that_does_not_end_in_time_is_no_answer(running, monkeypatch):
    monkeypatch.setattr(running.engine.inside[0].reconciler, "waits", lambda: False)
    with pytest.raises(NotCommitted, match="partition 0"):
        running.engine.reconcile(timeout_s=0.01)


def test_a_ledger_that_is_busy_cuts_a_check_short_and_ends_nobody(running):
    reconciler = running.engine.inside[0].reconciler

    def busy():
        raise StorageBusy("database is locked")

    reconciler.go_on(busy, busy, busy=lambda: False)
    assert reconciler.last.error == "database is locked"
    assert (found(running), reconciler.totals) == ({}, {})
