"""An engine that dies at any point of any commit leaves the ledger of one that never died."""

import os
import random

import pytest

from tests.daemon.crash_points import DEAD
from tests.daemon.crashes import EACH, FIRST, RARE, commits_of, crash, crash_everywhere, once
from tests.daemon.replay import inputs

pytestmark = [pytest.mark.crash, pytest.mark.slow]

PORTIONS = 5
# For a long run: ROLLCALL_KILLS=200.
KILLS = int(os.environ.get("ROLLCALL_KILLS", "8"))
MANY = 100
SEED = int(os.environ.get("ROLLCALL_SEED", "1"))


def test_wherever_a_commit_is_cut_short_the_rows_are_the_same(evening, tmp_path):
    """A lively evening in a few large portions, of which each comes to one commit or more."""
    recording = evening.recording
    batch = -(-len(recording.records) // PORTIONS)
    # The first commit of a life mirrors all anew, so it is one less that comes by the mirror.
    tasks = [once(point, number, batch) for point in EACH for number in range(1, PORTIONS)]
    told = crash(recording, tasks + [once(point, 1, batch) for point in FIRST], tmp_path)
    assert [it for it in told if it["ends"] != [DEAD]] == []


def test_engines_that_die_at_every_commit_of_events_write_the_rows_of_one(held, tmp_path):
    recording = held.recording
    # To the ledger, before the commit and inside it are the same; those that die once die at both.
    points = (*EACH, *RARE, *FIRST) if KILLS >= MANY else (*EACH[1:], *RARE)
    died = crash_everywhere(recording, points, tmp_path)
    for point in ("after ledger._write_partition", "after ledger.commit"):
        assert died[point] >= commits_of(recording.records, 1) - 1
    requests = [it for it in inputs(recording.records) if getattr(it, "request_id", "")]
    assert died["before answers.give"] == len(requests)
    assert died["after ledger.audit"] > 0


@pytest.mark.timeout(120 + KILLS)
def test_an_engine_that_dies_once_during_events_is_made_good_by_the_next(held, tmp_path):
    moments, commits = random.Random(SEED), commits_of(held.recording.records, 1)
    drawn = {(moments.choice(EACH), moments.randint(1, commits - 1)) for _ in range(KILLS)}
    told = crash(held.recording, [once(*it) for it in sorted(drawn)], tmp_path)
    assert [it for it in told if it["ends"] != [DEAD]] == []
