"""The daemon or its ingest ended, in order or by ``kill -9``, while Discord goes on; and started again.

What was journaled is kept exactly; what happened in between has a slack that contains the truth and is no
larger than the gap.
"""

import time

import pytest

from tests.daemon.replay import begun_since, differences, gaps, outside_gaps, replay, tables_of, watched
from tests.daemon.running import until
from tests.daemon.truth import LATE_MS, Comparison, rows_of

pytestmark = [pytest.mark.crash, pytest.mark.slow]

BEAT_MS = 1_000


def killed(daemon):
    """``kill -9`` the parent; no child may outlive it."""
    daemon.kill()
    until(lambda: not daemon.orphans(), "the end of the children")
    assert any(row.left_at is None for row in rows_of(daemon.config.database))
    daemon.run()


def stopped(daemon):
    """SIGTERM: exit 0 within ten seconds, and who is in voice stays in voice."""
    assert daemon.program.stop(timeout_s=10) == 0
    assert daemon.orphans() == []
    assert any(row.left_at is None for row in rows_of(daemon.config.database))
    daemon.run()


def ingest_killed(daemon):
    """``kill -9`` the ingest alone: its parent starts it anew."""
    daemon.back("ingest", daemon.kill_child("ingest"))


@pytest.mark.parametrize("ended", [killed, stopped, ingest_killed])
def test_what_is_not_known_after_it_lies_in_the_gap(ended, make_simulator, tracking, recorded, tmp_path):
    simulator = make_simulator(actions_per_s=50, members=80)
    daemon = tracking(simulator).run()
    ready_at = now_ms()
    until(lambda: completed_since(daemon, ready_at), "some sessions")
    ended_at = now_ms()
    ended(daemon)
    back_at = now_ms()
    until(lambda: completed_since(daemon, back_at), "sessions after it")
    truth = simulator.truth()
    assert daemon.program.stop() == 0
    check(recorded(daemon), truth, ended_at, tmp_path)


def check(recording, truth, ended_at, tmp_path):
    again = replay(recording, tmp_path / "again.db")
    assert differences(tables_of(recording.database), tables_of(again)) == []
    rows, records = rows_of(recording.database), recording.records
    # The truth lies in each slack, each slack in the gap, and the gap begins at the last sign of life.
    assert Comparison(rows, truth, watched(records)).problems == []
    assert outside_gaps(rows, records) == []
    assert all(len(windows) == 1 for windows in gaps(records).values())
    assert all(ended_at - gap.start < BEAT_MS + 2 * LATE_MS for (gap,) in gaps(records).values())
    assert [row for row in rows if not row.bridged and runs_over(row, gaps(records))] == []
    # There was something to be right about.
    assert any(row.bridged for row in rows)
    assert any(not row.exact for row in begun_since(rows, records))


def completed_since(daemon, at):
    """Return whether a few people have come and gone since ``at``."""
    rows = rows_of(daemon.config.database)
    return sum(row.left_at is not None and row.joined_at > at for row in rows) > 5


def runs_over(row, away):
    """Say whether a session goes on over a time in which nobody watched."""
    return any(
        row.joined_at < gap.end and (row.left_at is None or row.left_at >= gap.end)
        for gap in away[row.guild_id]
    )


def now_ms():
    return time.time_ns() // 1_000_000
