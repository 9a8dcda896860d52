"""A gap is told in the log channel: one message, whoever dies around it."""

import sqlite3
from contextlib import closing

import pytest

from tests.daemon.running import until

pytestmark = [pytest.mark.crash, pytest.mark.slow]


@pytest.fixture
def announcing(make_simulator, tracking):
    """Make a quiet guild and a daemon that announces its gaps there."""
    simulator = make_simulator(actions_per_s=0.001, guilds=1, members=20)
    (guild,) = simulator.world()
    chat = next(it["id"] for it in guild["channels"] if it["type"] == 0)
    daemon = tracking(simulator, discord={"log_channel_id": chat}).run()
    return simulator, daemon


def outbox(daemon):
    """Return ``(outbox_id, status)`` of all effects upon Discord."""
    with closing(sqlite3.connect(daemon.config.database)) as connection:
        return connection.execute("SELECT outbox_id, status FROM outbox ORDER BY created_at").fetchall()


def settled(daemon, count):
    """Say whether there are so many effects, all of them done as the journal tells."""
    found = outbox(daemon)
    return len(found) == count and {status for _, status in found} == {"done"}


def texts(simulator):
    return [it["content"] for it in simulator.messages()]


def test_a_gap_is_told_once(announcing):
    simulator, daemon = announcing
    daemon.back("ingest", daemon.kill_child("ingest"))
    until(lambda: settled(daemon, 1), "a settled message")
    (text,) = texts(simulator)
    assert "not watched for" in text
    assert "stayed" in text


def test_an_engine_killed_before_the_gap_tells_it_once(announcing):
    simulator, daemon = announcing
    engine, ingest = daemon.kill_child("engine"), daemon.kill_child("ingest")
    daemon.back("engine", engine)
    daemon.back("ingest", ingest)
    until(lambda: settled(daemon, 1), "a settled message")
    assert len(texts(simulator)) == 1


def test_an_engine_killed_while_the_message_is_under_way_tells_it_once(announcing):
    """The new engine sends it again, since it has no outcome; the ingest knows it."""
    simulator, daemon = announcing
    simulator.fault("fail_rest", path="/messages", kind="error", status=503, count=2)
    daemon.back("ingest", daemon.kill_child("ingest"))
    until(lambda: [status for _, status in outbox(daemon)] == ["pending"], "a message under way")
    daemon.back("engine", daemon.kill_child("engine"))
    until(lambda: settled(daemon, 1), "a settled message")
    until(daemon.ready, "a daemon that is at work again")
    assert len(texts(simulator)) == 1


def test_an_ingest_killed_after_discord_took_the_message_tells_it_once(announcing):
    """Its reply is lost, so the next life posts it again under the same nonce; its own gap is another."""
    simulator, daemon = announcing
    simulator.fault("fail_rest", path="/messages", kind="lost_reply", count=5)
    first = daemon.kill_child("ingest")
    second = daemon.back("ingest", first)
    until(lambda: len(texts(simulator)) == 1, "the message on Discord")
    assert [status for _, status in outbox(daemon)] == ["pending"]
    assert daemon.kill_child("ingest") == second
    daemon.back("ingest", second)
    until(lambda: settled(daemon, 2), "both messages settled")
    nonces = [it["nonce"] for it in simulator.messages()]
    assert len(nonces) == len(set(nonces)) == 2
