"""The ledger when things go wrong: killed, locked, full, damaged."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from engine.domain.effects import SaveSession
from engine.domain.partition import START, PartitionState
from engine.domain.sessions import Session
from engine.storage import database
from engine.storage.ledger import SqlLedger
from engine.storage.protocols import Commit, StorageBusy, StorageError

REPOSITORY = Path(__file__).parents[2]

# Commits for ever: the n-th commit holds ten sessions and moves the cursor to n. Tells each that returned.
WRITER = """
import sys
from pathlib import Path
from engine.domain.effects import SaveSession
from engine.domain.partition import START, PartitionState
from engine.domain.sessions import Session
from engine.storage.ledger import SqlLedger
from engine.storage.protocols import Commit

ledger = SqlLedger(Path(sys.argv[1]), 0)
state = ledger.load_partition()
n = 0 if state.cursor == START else int(state.cursor)
while True:
    n += 1
    effects = [SaveSession(1, Session(user, 2, n, 0, n, n), at=n) for user in range(10)]
    following = PartitionState(cursor=str(n), now=n)
    ledger.commit(Commit(state.cursor, following, effects))
    state = following
    print(n, flush=True)
"""


def batch(number: int, sessions: int) -> Commit:
    rows = [
        SaveSession(1, Session(user, 2, number, 0, number, number), at=number) for user in range(sessions)
    ]
    before = START if number == 1 else str(number - 1)
    return Commit(before, PartitionState(cursor=str(number), now=number), rows)


@pytest.fixture
def ledger(path, monkeypatch):
    monkeypatch.setitem(database.DURABLE, "busy_timeout", 20)
    with closing(SqlLedger(path, 0)) as ledger:
        yield ledger


def test_a_locked_database_is_busy_and_takes_the_same_commit_later(ledger, path):
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StorageBusy, match="locked") as busy:
            ledger.commit(batch(1, sessions=3))
        assert str(path) in str(busy.value)
        assert ledger.load_partition().cursor == START
        assert ledger.load_guild(1, 1).sessions == {}
        other.execute("ROLLBACK")
    ledger.commit(batch(1, sessions=3))
    assert len(ledger.load_guild(1, 1).sessions) == 3


def test_a_full_database_is_busy_and_keeps_nothing_of_the_commit(ledger):
    ledger.commit(batch(1, sessions=1))
    pages = ledger._writer.pragma("page_count")
    ledger._writer.pragma("max_page_count", pages + 4)
    with pytest.raises(StorageBusy, match="full"):
        ledger.commit(batch(2, sessions=2_000))
    assert ledger.load_partition().cursor == "1"
    assert len(ledger.load_guild(1, 1).sessions) == 1
    ledger._writer.pragma("max_page_count", pages + 4_000)
    ledger.commit(batch(2, sessions=2_000))
    assert len(ledger.load_guild(1, 1).sessions) == 2_000


def test_a_fault_that_stays_is_told_in_one_line(ledger):
    ledger._writer.execute_sql("DROP TABLE span")
    with pytest.raises(StorageError, match="no such table: span") as fault:
        ledger.commit(batch(1, sessions=1))
    assert not isinstance(fault.value, StorageBusy)
    assert "\n" not in str(fault.value)
    assert ledger.load_partition().cursor == START


def test_readers_do_not_wait_for_a_writer(ledger, path):
    ledger.commit(batch(1, sessions=3))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM session")
        assert len(ledger.load_guild(1, 1).sessions) == 3
        other.execute("ROLLBACK")


@pytest.mark.crash
def test_a_killed_writer_leaves_whole_commits_and_every_one_it_was_told_of(path):
    told = 0
    for _ in range(5):
        told = _killed_after(path, random.randint(1, 40)) or told
        with closing(SqlLedger(path, 0)) as ledger:
            cursor = int(ledger.load_partition().cursor)
            rows = ledger._reader.execute_sql(
                "SELECT joined_at, count(*) FROM session GROUP BY joined_at ORDER BY joined_at"
            ).fetchall()
        assert cursor >= told
        assert rows == [(n, 10) for n in range(1, cursor + 1)]


def _killed_after(path: Path, commits: int) -> int:
    """Run a writer, kill it once it has told of so many commits, return the last it told of."""
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as writer:
        for _ in range(commits):
            assert writer.stdout.readline(), "the writer died by itself"
        os.kill(writer.pid, signal.SIGKILL)
        rest = [line for line in writer.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    return int(rest[-1]) if rest else 0
