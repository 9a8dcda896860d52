"""Engines that die at a chosen point of a chosen commit, over a recorded journal, and are started again.

A script, since it forks: ``python -m tests.daemon.crash_points URL FOLDER BATCH``. Each case leaves its
ledger in the folder and a line of JSON on standard output.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import structlog

from engine.domain.rules import Rules
from engine.storage.ledger import SqlLedger
from engine.storage.live import LiveSession
from engine.storage.protocols import Stores
from tests.daemon.replay import Recording, cursor, run_engine, stores_at

decoder = msgspec.msgpack.Decoder(LiveSession)
DEAD = 9
MIRROR_DIFFERS = 3


class Point(NamedTuple):
    """The call of a store's method at which the engine dies, before or after it."""

    store: str
    method: str
    after: bool

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.store}.{self.method}"


POINTS = [
    Point("ledger", "commit", after=False),
    Point("ledger", "_write_partition", after=True),  # all is written, the transaction still open
    Point("ledger", "commit", after=True),
    Point("live", "rebuild", after=True),
    Point("live", "mirror", after=True),
    Point("outbox", "send", after=True),
    Point("journal", "trim", after=True),
]


def mortal(stores: Stores, point: Point, number: int) -> Stores:
    """Let the process end at the ``number``-th call of the point's method, as ``kill -9`` would end it."""
    store: Any = getattr(stores, point.store)
    method, calls = getattr(store, point.method), 0

    def dying(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number and not point.after:
            os._exit(DEAD)
        result = method(*arguments)
        if calls == number:
            os._exit(DEAD)
        return result

    setattr(store, point.method, dying)
    return stores


def in_lockstep(stores: Stores) -> Stores:
    """Let the next batch wait for the commit of the one before, so that each has a commit of its own."""
    journal: Any = stores.journal
    read = journal.read

    def waiting(after: str, count: int, block_ms: int) -> Any:
        while cursor(stores) != after:
            time.sleep(0.001)
        return read(after, count, block_ms)

    journal.read = waiting
    return stores


def in_a_process(work: Callable[[], int]) -> int:
    """Run in a fork that ends without ceremony; return its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = work()
        finally:
            sys.stdout.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def die(recording: Recording, point: Point, number: int, batch: int) -> int:
    last_id = recording.records[-1].journal_id
    with stores_at(recording.url, recording.database) as stores:
        run_engine(mortal(in_lockstep(stores), point, number), recording.rules, last_id, batch)
    return 0  # that call never came


def finish(recording: Recording, batch: int) -> int:
    """Take what is left; the mirror must then be that of the ledger."""
    last_id = recording.records[-1].journal_id
    with stores_at(recording.url, recording.database) as stores:
        if cursor(stores) == last_id:
            return 0  # without one more entry, nobody looks at the mirror
        run_engine(stores, recording.rules, last_id, batch)
        mirror = {it: dict(stores.live.read(it)) for it in stores.live.guilds()}
        return 0 if mirror == opened(stores.ledger) else MIRROR_DIFFERS


def opened(ledger: SqlLedger) -> dict[int, dict[int, LiveSession]]:
    """Return the ledger's open sessions as the mirror must have them."""
    return {
        guild_id: {user_id: decoder.decode(value) for user_id, value in sessions}
        for guild_id, sessions in ledger.open_sessions()
    }


def main(url: str, folder: Path, batch: int) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    for index, point in enumerate(POINTS):
        for number in count(1):
            case = Recording(url, folder / f"{index}-{number}.db", Rules())
            died = in_a_process(partial(die, case, point, number, batch))
            if died == 0:
                break  # there is no such call
            ended = in_a_process(partial(finish, case, batch))
            told = {"point": str(point), "number": number, "died": died, "ended": ended}
            print(json.dumps(told | {"database": str(case.database)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
