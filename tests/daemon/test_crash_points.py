"""An engine that dies at any point of any commit leaves the ledger of one that never died."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from engine.actors.records import batches
from tests.daemon.crash_points import DEAD, NEVER_CAME, POINTS, Task, Work
from tests.daemon.replay import differences, inputs, replay, tables_of

pytestmark = [pytest.mark.crash, pytest.mark.slow]

COMMITS = 5
# For a long run: ROLLCALL_KILLS=200.
KILLS = int(os.environ.get("ROLLCALL_KILLS", "8"))
MANY = 100
SEED = int(os.environ.get("ROLLCALL_SEED", "1"))

INDEX = {str(point): index for index, point in enumerate(POINTS)}
# Those that every commit comes by, and those that some do.
EACH = ("before ledger.commit", "after ledger._write_partition", "after ledger.commit", "after live.mirror")
FIRST = ("after live.rebuild", "after outbox.send", "after journal.trim")  # of an engine's life
RARE = ("before answers.give", "after ledger.audit")


@pytest.fixture
def crash(tmp_path):
    """Let engines die over a journal as ordered; return the reports of tasks that left the same ledger."""

    def run(recording, tasks):
        expected = tables_of(replay(recording, tmp_path / "uninterrupted.db"))
        assert differences(tables_of(recording.database), expected) == []
        Work(recording.url, msgspec.json.encode(recording.rules).decode(), tasks).write(tmp_path)
        told = reports(tmp_path)
        for it in told:
            assert it["ended"] == 0, it
            assert set(it["ends"]) <= {DEAD, NEVER_CAME}, it
            assert differences(expected, tables_of(Path(it["database"]))) == [], it
        kills, rows = sum(it["ends"].count(DEAD) for it in told), sum(map(len, expected.values()))
        print(f"{kills} kills, {len(told)} ledgers of {rows} rows compared, no difference")
        return told

    return run


def reports(folder):
    command = [sys.executable, "-m", "tests.daemon.crash_points", str(folder)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def commits_of(records, batch):
    """Return how many commits a journal takes if so many entries are read at a time."""
    return sum(len(list(batches(records[at : at + batch]))) for at in range(0, len(records), batch))


def once(point, number, batch=1):
    """One engine dies at the so-manieth call of a point, the next does the rest."""
    return Task(f"once-{INDEX[point]}-{number}", [(INDEX[point], number)], batch=batch)


def test_wherever_a_commit_is_cut_short_the_rows_are_the_same(evening, crash):
    """A lively evening, in few large commits; and those that the requests and facts of events make."""
    records = evening.recording.records
    batch = -(-len(records) // COMMITS)
    chosen = random.Random(SEED).sample(range(1, commits_of(records, batch)), COMMITS)
    tasks = [once(point, number, batch) for point in EACH for number in chosen]
    told = crash(evening.recording, tasks + [once(point, 1, batch) for point in FIRST])
    assert [it for it in told if it["ends"] != [DEAD]] == []


def test_engines_that_die_at_every_commit_of_events_write_the_rows_of_one(held, crash):
    """Each lives for one commit: the next one finds what it left, all through the evening."""
    commits = commits_of(held.recording.records, 1)
    # Where it dies before the commit is done, the second one, so that each life comes by one.
    points = (*EACH, *RARE, *(FIRST if KILLS >= MANY else ()))
    lasting = {point: 2 if INDEX[point] < INDEX["after ledger.commit"] else 1 for point in points}
    told = crash(
        held.recording,
        [Task(f"all-{INDEX[point]}", [(INDEX[point], it)], again=True) for point, it in lasting.items()],
    )
    died = {it["task"]: it["ends"].count(DEAD) for it in told}
    for point in ("before ledger.commit", "after ledger._write_partition", "after ledger.commit"):
        assert died[f"all-{INDEX[point]}"] >= commits - 1
    requests = [it for it in inputs(held.recording.records) if getattr(it, "request_id", "")]
    assert died[f"all-{INDEX['before answers.give']}"] == len(requests)
    assert died[f"all-{INDEX['after ledger.audit']}"] > 0


def test_an_engine_that_dies_once_during_events_is_made_good_by_the_next(held, crash):
    moments, commits = random.Random(SEED), commits_of(held.recording.records, 1)
    drawn = {(moments.choice(EACH), moments.randint(1, commits - 1)) for _ in range(KILLS)}
    told = crash(held.recording, [once(*it) for it in sorted(drawn)])
    assert [it for it in told if it["ends"] != [DEAD]] == []
