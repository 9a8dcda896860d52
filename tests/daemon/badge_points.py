"""Engines that die while badges go into their file, and are started again.

A script, since it forks: ``python -m tests.daemon.badge_points FOLDER URL RULES`` delivers the badges of the
journal at ``URL``, whose outcomes it is to journal itself. At each point one engine after the other dies,
until one gets through; then a line of JSON tells of them.
"""

import json
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import structlog

from engine.actors import partition
from engine.actors.engine import Engine, EngineSettings
from engine.actors.records import place
from engine.badges import csv_file
from engine.badges.csv_file import CsvFile
from engine.badges.deliverer import Deliverer
from engine.badges.delivery import DeliveryStats
from engine.domain.inputs import OutboxOutcome
from engine.domain.rules import Rules
from engine.storage.deliveries import SqlDeliveries
from engine.storage.journal import FIELD, stream_key
from engine.storage.redis_client import connect
from engine.storage.writer import JournalWriter
from tests.daemon.crash_points import DEAD, NEVER_CAME, in_a_process
from tests.daemon.replay import Recording, cursor, cut_after, stores_at
from tests.waiting import until

DEATHS = 8  # at most; where nothing is done before it, there would be no end of them


class DeliveryPoint(NamedTuple):
    """The call at which the engine dies: before it, after it, or in the middle of what it writes."""

    holder: Any
    name: str
    when: str

    def __str__(self) -> str:
        return f"{self.when} {self.name}"


POINTS = [
    DeliveryPoint(CsvFile, "_append", "before"),
    DeliveryPoint(csv_file, "_write", "inside"),  # a torn line
    DeliveryPoint(CsvFile, "_append", "after"),
    DeliveryPoint(JournalWriter, "append", "before"),  # it was delivered, and nobody is told
    DeliveryPoint(JournalWriter, "append", "after"),  # it was told, perhaps not sent
]


def without_outcomes(recording: Recording, url: str) -> None:
    """Copy a journal to an empty server, but for how the deliveries ended."""
    with connect(url) as client:
        for it in recording.records:
            assert it.entry is not None
            if not isinstance(it.entry.input, OutboxOutcome):
                client.xadd(stream_key(0), {FIELD: it.raw}, id=it.journal_id)


def mortal(point: DeliveryPoint) -> None:
    """Let the process end at the point's first call, as ``kill -9`` would end it."""
    method = getattr(point.holder, point.name)

    def dying(*arguments: Any) -> Any:
        if point.when == "inside":
            file, data = arguments
            os.write(file, data[: len(data) * 2 // 3])
        elif point.when == "after":
            method(*arguments)
        os._exit(DEAD)

    setattr(point.holder, point.name, dying)


def live(case: Recording, file: Path, last_id: str, point: DeliveryPoint | None) -> int:
    """Take the journal, and deliver all badges that it awards."""
    if point is not None:
        mortal(point)
    with stores_at(case.url, case.database) as stores:
        engine = Engine(EngineSettings(batch_max_entries=5), [stores], case.rules)
        source = f"engine-{time.time_ns()}-{os.getpid()}"
        writer = JournalWriter(case.url, source, spool_path=case.database.with_suffix(".spool"))
        deliveries = SqlDeliveries(case.database)
        deliverer = Deliverer(deliveries, writer, now_ms, {"csv": CsvFile(file)}, DeliveryStats())
        engine.aftermath.badges_awarded = deliverer.wake
        for part in (engine, writer, deliverer):
            part.start()
        until(lambda: place(cursor(stores)) >= place(last_id), f"the journal's end {last_id}")
        until(lambda: not deliveries.count("csv"), "the delivery of all badges")
        deliverer.stop()
        writer.close()
        engine.stop()
    return NEVER_CAME


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def main(folder: Path, url: str, rules: Rules) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    partition.BLOCK_MS = 5
    last_id = Recording(url, folder).records[-1].journal_id
    for index, point in enumerate(POINTS):
        case = Recording(url, folder / f"{index}.db", rules)
        file = folder / f"{index}.csv"
        ends: list[int] = []
        while NEVER_CAME not in ends:
            killer = point if len(ends) < DEATHS else None
            ends.append(in_a_process(partial(live, case, file, last_id, killer)))
            assert ends[-1] in {DEAD, NEVER_CAME}, f"{point}: {ends}"
        told = {"point": str(point), "ends": ends, "database": str(case.database), "file": str(file)}
        print(json.dumps(told), flush=True)
        cut_after(url, last_id)  # for the next point, the journal as it was


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], msgspec.json.decode(sys.argv[3], type=Rules))
