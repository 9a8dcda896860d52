"""Engines that die at a chosen point of a chosen commit, over a recorded journal, and are started again.

A script, since it forks: ``python -m tests.daemon.crash_points FOLDER`` takes the tasks of
``FOLDER/tasks.json``. Each leaves its ledger in the folder and a line of JSON on standard output.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import structlog

from engine.actors import partition
from engine.actors.aftermath import Answers, active_events
from engine.domain.attendance import Participant
from engine.domain.event_views import event_json, followed_json
from engine.domain.events import Event, EventStatus
from engine.domain.ids import person
from engine.domain.rules import Rules
from engine.storage.ledger import SqlLedger
from engine.storage.live import LiveSession, RedisLiveState
from engine.storage.protocols import Commit, Stores
from tests.daemon.replay import Recording, cursor, run_engine, stores_at, tables_of

decoder = msgspec.msgpack.Decoder(LiveSession)
DEAD = 9
MIRROR_DIFFERS = 3
NEVER_CAME = 0


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
    Point("answers", "give", after=False),  # a request took effect, and nobody is told
    Point("ledger", "audit", after=True),
    Point("outbox", "withdraw", after=True),
    Point("ledger", "wipe", after=False),  # someone is forgotten, and may still be found in the file
    Point("ledger", "wipe", after=True),
]


@dataclass(frozen=True)
class Task:
    """Lives over a journal. Each dies at the ``number``-th call of its point's method, the last at none.

    ``points``: of one life after the other; with ``again``, the last point is that of as many lives as it
    takes to get through the journal. Beside its ledger stand notes of what it held after each commit.
    """

    name: str
    points: list[tuple[int, int]]  # as (index of POINTS, number)
    again: bool = False
    batch: int = 1


@dataclass(frozen=True)
class Work:
    """What is to be done with a journal at ``url``. ``rules``: as JSON."""

    url: str
    rules: str
    tasks: list[Task]

    def write(self, folder: Path) -> None:
        (folder / "tasks.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> "Work":
        return msgspec.json.decode((folder / "tasks.json").read_bytes(), type=cls)


def mortal(stores: Stores, point: Point, number: int) -> Stores:
    """Let the process end at the ``number``-th call of the point's method, as ``kill -9`` would end it."""
    holder: Any = Answers if point.store == "answers" else getattr(stores, point.store)
    method, calls = getattr(holder, point.method), 0

    def dying(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number and not point.after:
            os._exit(DEAD)
        result = method(*arguments)
        if calls == number:
            os._exit(DEAD if point.store != "live" or is_mirrored(stores) else MIRROR_DIFFERS)
        return result

    setattr(holder, point.method, dying)
    return stores


def noting(stores: Stores, notes: Path) -> Stores:
    """Note after each commit, by its cursor, what the ledger's tables hold."""
    ledger: Any = stores.ledger
    commit = ledger.commit

    def noted(it: Commit) -> None:
        commit(it)
        held = hashlib.sha256(repr(tables_of(notes.with_suffix(".db"))).encode()).hexdigest()
        with notes.open("a") as file:
            file.write(f"{it.state.cursor} {held}\n")

    ledger.commit = noted
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


def die(recording: Recording, last_id: str, point: Point, number: int, batch: int) -> int:
    with stores_at(recording.url, recording.database) as stores:
        noting(in_lockstep(stores), recording.database.with_suffix(".notes"))
        run_engine(mortal(stores, point, number), recording.rules, last_id, batch)
    return NEVER_CAME


def finish(recording: Recording, last_id: str, batch: int) -> int:
    """Take what is left; the mirror must then be that of the ledger."""
    with stores_at(recording.url, recording.database) as stores:
        if cursor(stores) == last_id:
            return 0  # without one more entry, nobody looks at the mirror
        run_engine(stores, recording.rules, last_id, batch)
        return 0 if is_mirrored(stores) else MIRROR_DIFFERS


def is_mirrored(stores: Stores) -> bool:
    """Say whether the live state is the ledger's, sessions and events."""
    live: Any = stores.live
    ledger: Any = stores.ledger
    if {it: dict(live.read(it)) for it in live.guilds()} != opened(ledger):
        return False
    followed = {event.event_id: people for event, people in active_events(ledger)}
    active = [it for it in ledger.open_events() if it.status is EventStatus.ACTIVE]
    return all(_event_mirrored(live, ledger, it, followed[it.event_id]) for it in active)


def _event_mirrored(
    live: RedisLiveState, ledger: SqlLedger, event: Event, followed: list[Participant]
) -> bool:
    shown = event_json(event)
    everywhere = [live.active_events(event.guild_id, it) for it in (None, *event.channel_ids)]
    told = {it["userId"]: it for it in live.participants(event.event_id).values()}
    everybody = {person(it.user_id) for it in ledger.load_attendance(event).participants}
    return (
        all(shown in (events or ()) for events in everywhere)
        and told == {person(it.user_id): followed_json(it) for it in followed}
        and told.keys() == everybody
    )


def opened(ledger: SqlLedger) -> dict[int, dict[int, LiveSession]]:
    """Return the ledger's open sessions as the mirror must have them."""
    return {
        guild_id: {user_id: decoder.decode(value) for user_id, value in sessions}
        for guild_id, sessions in ledger.open_sessions()
    }


def lives(task: Task, case: Recording, last_id: str) -> list[int]:
    """Let one engine after the other live and die; return how each ended."""
    ends: list[int] = []
    for number in count():
        index, calls = task.points[min(number, len(task.points) - 1)]
        if number >= len(task.points) and (not task.again or ends[-1] != DEAD):
            break
        if ends and ends[-1] != DEAD:
            break
        ends.append(in_a_process(partial(die, case, last_id, POINTS[index], calls, task.batch)))
    return ends


def main(folder: Path) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    partition.BLOCK_MS = 5  # a stop need not wait for entries that never come
    work = Work.read(folder)
    rules = msgspec.json.decode(work.rules, type=Rules)
    last_id = Recording(work.url, folder).records[-1].journal_id
    for task in work.tasks:
        case = Recording(work.url, folder / f"{task.name}.db", rules)
        ends = lives(task, case, last_id)
        ended = in_a_process(partial(finish, case, last_id, 500))
        told = {"task": task.name, "ends": ends, "ended": ended, "database": str(case.database)}
        told["notes"] = str(case.database.with_suffix(".notes"))
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
