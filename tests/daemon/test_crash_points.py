"""An engine that dies at any point of any commit leaves the ledger of one that never died."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.daemon.crash_points import DEAD, POINTS
from tests.daemon.replay import differences, replay, tables_of

pytestmark = [pytest.mark.crash, pytest.mark.slow]

COMMITS = 5


def test_wherever_a_commit_is_cut_short_the_rows_are_the_same(evening, tmp_path):
    recording = evening.recording
    batch = -(-len(recording.records) // COMMITS)
    expected = tables_of(replay(recording, tmp_path / "uninterrupted.db"))
    command = [sys.executable, "-m", "tests.daemon.crash_points", recording.url, str(tmp_path), str(batch)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    cases = [json.loads(line) for line in done.stdout.splitlines()]
    assert [it for it in cases if (it["died"], it["ended"]) != (DEAD, 0)] == [], done.stderr[-3000:]
    for it in cases:
        assert differences(expected, tables_of(Path(it["database"]))) == [], it
    died = Counter(it["point"] for it in cases)
    assert set(died) == {str(it) for it in POINTS}
    # What stands alone in a batch makes some more.
    assert died["before ledger.commit"] == died["after ledger.commit"] >= COMMITS
