"""Redis or the gateway away for a moment: nothing that happened is lost, and what is guessed is said so."""

import os
import signal
from collections import Counter

import pytest

from engine.domain.inputs import GuildSnapshot
from tests.daemon.quiet_guild import QUIET, QuietGuild
from tests.daemon.replay import (
    begun_since,
    differences,
    inputs,
    replay,
    tables_of,
    watched,
)
from tests.daemon.running import until
from tests.daemon.truth import LATE_MS, Comparison, rows_of

pytestmark = [pytest.mark.crash, pytest.mark.slow]


def redis_killed(daemon):
    daemon.back("redis", daemon.kill_child("redis"))


def redis_paused(daemon):
    """Stop the server's process until a writer has given a reply up; going on, it takes what was sent."""
    pid, given_up = daemon.pid("redis"), daemon.program.text().count("journal_away")
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: daemon.program.text().count("journal_away") > given_up, "a lost reply")
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("happened", [redis_killed, redis_paused])
def test_while_redis_is_away_everything_waits_in_order(happened, make_daemon, recorded, tmp_path):
    daemon = make_daemon(simulator={"speed": 12.0, "members": 80}).run()
    for _ in range(2):
        before = len(rows_of(daemon.config.database))
        happened(daemon)
        until(lambda before=before: len(rows_of(daemon.config.database)) > before + 10, "more sessions")
    until(daemon.ready, "a daemon that is at work again")
    truth = daemon.truth()
    dropped = daemon.client.get("/debug/top")["counters"]["duplicates"]
    assert daemon.program.stop() == 0
    recording = recorded(daemon)
    records = recording.records
    assert repeated(records) == dropped
    assert dropped or happened is redis_killed
    again = replay(recording, tmp_path / "again.db")
    assert differences(tables_of(recording.database), tables_of(again)) == []
    rows = rows_of(recording.database)
    assert Comparison(rows, truth, watched(records)).problems == []
    assert [row for row in begun_since(rows, records) if not row.exact] == []


def repeated(records):
    """Return how many entries came again after a lost reply; all must be there, and first come in order."""
    taken = Counter()
    for record in records:
        source, seq = record.entry.source, record.entry.seq
        assert seq <= taken[source] + 1, f"{source} has no entry {taken[source] + 1}"
        taken[source] = max(taken[source], seq)
    lives = [source for source in taken if source.startswith("ingest-")]
    assert len(lives) == 1  # beside the engine's own writer
    return len(records) - sum(taken.values())


def test_what_a_resume_replays_has_slack_back_to_the_loss(make_simulator, tracking, recorded, tmp_path):
    simulator = make_simulator(**QUIET, members=20)
    daemon = tracking(simulator).run()
    guild = QuietGuild(simulator)
    stays, leaves, moves, *_ = guild.inside
    comes, comes_later, came_before, *_ = guild.outside
    alive_at = simulator.truth()["now"]
    guild.act("join", came_before, channel_id=guild.elsewhere(stays))
    until(lambda: daemon.client.get("/sessions", userId=came_before)["items"], "a frame just before the loss")
    simulator.fault("refuse_gateway", seconds=1.0)
    simulator.fault("drop")
    guild.act("leave", leaves)
    guild.act("move", moves, channel_id=guild.elsewhere(moves))
    guild.act("join", comes, channel_id=guild.elsewhere(stays))
    until(simulator.connected, "the gateway again")
    until(lambda: daemon.client.get("/sessions", userId=comes)["items"], "what the RESUME replays")
    resumed_at = simulator.truth()["now"]
    guild.act("join", comes_later, channel_id=guild.elsewhere(stays))
    until(lambda: daemon.client.get("/sessions", userId=comes_later)["items"], "the last update")
    truth = simulator.truth()
    assert daemon.program.stop() == 0

    recording = recorded(daemon)
    records, rows = recording.records, rows_of(recording.database)
    assert Comparison(rows, truth, watched(records)).problems == []
    assert sum(isinstance(it, GuildSnapshot) for it in inputs(records)) == 1  # no second IDENTIFY
    by_user = {str(row.user_id): row for row in rows}  # of who moved, the second session
    slack = {
        leaves: by_user[leaves].left_slack_ms,
        moves: by_user[moves].joined_slack_ms,
        comes: by_user[comes].joined_slack_ms,
    }
    assert all(0 < it <= resumed_at - alive_at + LATE_MS for it in slack.values()), slack
    assert by_user[stays].left_at is None
    assert not by_user[stays].bridged
    assert by_user[comes_later].exact
