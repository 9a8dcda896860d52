"""Badges in a file, each once, wherever engines die between the delivery and its outcome."""

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tests.daemon.badge_points import POINTS, without_outcomes
from tests.daemon.crash_points import DEAD, NEVER_CAME
from tests.daemon.replay import tables_of

pytestmark = [pytest.mark.crash, pytest.mark.slow]


def test_a_file_holds_each_once_wherever_engines_die(held, make_server, tmp_path):
    server = make_server().start()
    without_outcomes(held.recording, server.url)
    rules = msgspec.json.encode(held.recording.rules).decode()
    command = [sys.executable, "-m", "tests.daemon.badge_points", str(tmp_path), server.url, rules]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    cases = [json.loads(line) for line in done.stdout.splitlines()]
    assert [it["point"] for it in cases] == list(map(str, POINTS))
    expected = tables_of(held.recording.database)
    for it in cases:
        assert set(it["ends"]) == {DEAD, NEVER_CAME}, it
        tables = tables_of(Path(it["database"]))
        assert all(
            tables[name] == expected[name] for name in ("event", "participant", "eventsession", "badge")
        )
        assert {row[4] for row in tables["outbox"]} == {"done"}
        rows = list(csv.DictReader(Path(it["file"]).read_text().splitlines()))
        given = Counter((badge[0], badge[1]) for badge in expected["badge"])
        assert Counter((int(row["event_id"]), int(row["user_id"])) for row in rows) == given, it
    print(", ".join(f"{it['ends'].count(DEAD)} died {it['point']}" for it in cases))
