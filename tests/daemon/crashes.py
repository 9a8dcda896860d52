"""Engines let die over a recorded journal: all that they leave is what one that never died leaves."""

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.actors.records import batches
from engine.storage.protocols import Record
from tests.daemon.crash_points import DEAD, NEVER_CAME, POINTS, Task, Work
from tests.daemon.replay import Recording, differences, replay, tables_of

INDEX = {str(point): index for index, point in enumerate(POINTS)}
# Those that every commit comes by, those that the first of a life does, and those that some do.
EACH = ("before ledger.commit", "after ledger._write_partition", "after ledger.commit", "after live.mirror")
FIRST = ("after live.rebuild", "after outbox.send", "after journal.trim")
RARE = ("before answers.give", "after ledger.audit")
STEADY = Task("steady", [(INDEX["before ledger.commit"], 1_000_000)])  # dies at no commit that there is


def once(point: str, number: int, batch: int = 1) -> Task:
    """Let one engine die at the so-manieth call of a point, and the next do the rest."""
    return Task(f"once-{INDEX[point]}-{number}", [(INDEX[point], number)], batch=batch)


def everywhere(point: str) -> Task:
    """Let each engine live for one commit: the next one finds what it left, all through the journal."""
    # Where it dies before the commit is done, it is the second one.
    number = 2 if INDEX[point] < INDEX["after ledger.commit"] else 1
    return Task(f"all-{INDEX[point]}", [(INDEX[point], number)], again=True)


def crash(recording: Recording, tasks: Sequence[Task], folder: Path) -> list[dict[str, Any]]:
    """Let engines die as ordered; return the tasks' reports, once all have left the same ledger."""
    expected = tables_of(replay(recording, folder / "uninterrupted.db"))
    assert differences(tables_of(recording.database), expected) == []
    Work(recording.url, msgspec.json.encode(recording.rules).decode(), list(tasks)).write(folder)
    told = _reports(folder)
    for it in told:
        assert it["ended"] == 0, it
        assert set(it["ends"]) <= {DEAD, NEVER_CAME}, it
        assert differences(expected, tables_of(Path(it["database"]))) == [], it
    rows = sum(map(len, expected.values()))
    print(f"{sum(map(deaths, told))} kills, {len(told)} ledgers of {rows} rows compared, no difference")
    return told


def crash_everywhere(recording: Recording, points: Iterable[str], folder: Path) -> dict[str, int]:
    """Let engines die at every commit; return how many died at each point.

    Not only in the end: after each commit all tables must be as they were then.
    """
    points = list(points)
    steady, *told = crash(recording, [STEADY, *map(everywhere, points)], folder)
    then = dict(_notes(steady))
    assert len(then) == commits_of(recording.records, 1)
    noted = [note for it in told for note in _notes(it)]
    assert [cursor for cursor, digest in noted if then[cursor] != digest] == []
    print(f"after {len(noted)} commits all tables were as they were then")
    return {point: deaths(it) for point, it in zip(points, told, strict=True)}


def deaths(told: dict[str, Any]) -> int:
    return int(told["ends"].count(DEAD))


def commits_of(records: Sequence[Record], batch: int) -> int:
    """Return how many commits a journal takes if so many entries are read at a time."""
    portions = (list(records[at : at + batch]) for at in range(0, len(records), batch))
    return sum(len(list(batches(it))) for it in portions)


def _reports(folder: Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.daemon.crash_points", str(folder)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def _notes(told: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what a task's ledger held after each of its commits, as ``(cursor, digest)``."""
    lines = Path(told["notes"]).read_text().splitlines()
    return [(cursor, digest) for cursor, _, digest in (it.partition(" ") for it in lines)]
