"""Entries that the journal had and lost again: Discord is asked anew, and the time between is in doubt."""

import os
import signal
from contextlib import closing, contextmanager

import pytest

from engine.domain.inputs import VoiceStateChanged
from engine.domain.partition import START
from engine.storage.journal import RedisJournal
from tests.crash.damage import append_only_file
from tests.daemon.quiet_guild import QUIET, QuietGuild
from tests.daemon.replay import ALL, inputs
from tests.daemon.running import until
from tests.daemon.truth import LATE_MS, rows_of

pytestmark = [pytest.mark.crash, pytest.mark.slow]


def test_who_left_in_a_hole_of_the_journal_left_within_its_slack_and_who_stayed_goes_on(
    make_simulator, tracking
):
    simulator = make_simulator(**QUIET, members=20)
    daemon = tracking(simulator).run()
    guild = QuietGuild(simulator)
    leaves, stays, *_ = guild.inside
    until(lambda: daemon.client.get("/sessions", userId=leaves)["items"], "who is inside")
    began_at, redis = guild.now(), daemon.pid("redis")
    with stopped(daemon.pid("engine")):
        # What the engine waits for is on its way to it the moment it is journaled: let that be a heartbeat.
        before = entries(daemon)
        until(lambda: len(entries(daemon)) > len(before), "the next heartbeat")
        whole = append_only_file(daemon.config.data_dir)
        size = whole.stat().st_size
        guild.leave(leaves)
        left_at = guild.now()
        until(lambda: any(is_of(leaves, it) for it in entries(daemon)), "the last word on who left")
        with stopped(daemon.program.pid):
            os.kill(redis, signal.SIGKILL)
            os.truncate(whole, size)
    row = until(lambda: ended(daemon, leaves), "the end of who left")
    asked_at = row.left_at + row.left_slack_ms
    assert began_at - 5_000 <= row.left_at <= left_at <= asked_at + LATE_MS
    assert row.left_slack_ms > 0
    (other,) = [it for it in rows_of(daemon.config.database) if it.user_id == int(stays)]
    assert (other.left_at, other.bridged) == (None, 1)
    assert daemon.metrics()["rollcall_journal_missing_total"] >= 1
    assert daemon.metrics()["rollcall_ingest_identifies_total"] == 2
    assert daemon.ready()


@contextmanager
def stopped(pid):
    """SIGSTOP a process for a while."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def entries(daemon):
    """Return what the journal holds."""
    with closing(RedisJournal(daemon.config.redis_url, 0)) as journal:
        return list(inputs(journal.read(START, ALL, 0)))


def is_of(user_id, what):
    return isinstance(what, VoiceStateChanged) and what.user_id == int(user_id)


def ended(daemon, user_id):
    """Return the user's first session, once it is over."""
    rows = [it for it in rows_of(daemon.config.database) if it.user_id == int(user_id)]
    return rows[0] if rows and rows[0].left_at is not None else None
