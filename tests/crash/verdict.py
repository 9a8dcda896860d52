"""What is left after a run, held against the witness, a replay without faults, and the truth."""

import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.actors.records import place
from engine.daemon.trackers import load_trackers, rules
from engine.storage.journal import FIELD, stream_key
from engine.storage.protocols import Record
from engine.storage.redis_client import connect
from tests.conftest import RunningServer
from tests.crash.stage import Stage
from tests.daemon.crash_points import is_mirrored
from tests.daemon.replay import Recording, cursor_of, outside_gaps, replay, stores_at, tables_of, watched
from tests.daemon.truth import Comparison, rows_of

STOP_S = 30.0


@dataclass
class Verdict:
    """``lost``, ``duplicated`` count entries and rows; ``told`` tells of them and of all else that is wrong.

    ``destroyed``: entries that the fault itself took from the journal before they were in the ledger.
    ``entries``, ``rows``: how many were compared.
    """

    lost: int = 0
    duplicated: int = 0
    destroyed: int = 0
    told: list[str] = field(default_factory=list)
    entries: int = 0
    rows: int = 0

    @property
    def fine(self) -> bool:
        return not self.told

    def lose(self, told: Sequence[str]) -> None:
        self.lost += len(told)
        self.told += told

    def repeat(self, told: Sequence[str]) -> None:
        self.duplicated += len(told)
        self.told += told


def judge(stage: Stage) -> Verdict:
    """Stop the daemon, which must end in order, and look at all that it leaves."""
    verdict, truth = Verdict(), earlier(stage.city.truth(), stage.apart_ms)
    if (exit_code := stage.daemon.program.stop(STOP_S)) != 0:
        verdict.told.append(f"the daemon ended with {exit_code}")
    server, database = RunningServer(), stage.daemon.config.database
    try:
        shutil.copytree(stage.daemon.config.data_dir / "redis", server.embedded.dir)
        server.start()
        wanted = rules(stage.daemon.config, load_trackers(stage.daemon.config))
        recording = Recording(server.url, database, wanted)
        with stores_at(server.url, database) as stores:
            if not is_mirrored(stores):
                verdict.told.append("the live state is not the ledger's")
        records = judge_entries(verdict, stage, recording)
        rewrite(server.url, records)
        judge_replay(verdict, recording, stage.daemon.folder / "again.db")
        judge_truth(verdict, stage, records, truth)
    finally:
        server.remove()
    return verdict


def earlier(truth: dict[str, Any], by_ms: int) -> dict[str, Any]:
    """Return the truth by a clock that stands so far behind."""
    for it in truth["presences"]:
        it["joined_at"] -= by_ms
        it["left_at"] = it["left_at"] and it["left_at"] - by_ms
        it["spans"] = [[at - by_ms, flags] for at, flags in it["spans"]]
    return truth | {"now": truth["now"] - by_ms}


def judge_entries(verdict: Verdict, stage: Stage, recording: Recording) -> list[Record]:
    """Return all entries up to the ledger's cursor; nobody's may have a hole, and none may be gone.

    What a fault destroyed is gone from the journal, and no loss where the ledger had taken it before.
    """
    kept, end = {it.journal_id: it for it in recording.records}, place(cursor_of(recording.database))
    gone = [it for key, it in stage.witness.seen.items() if key not in kept and place(key) <= end]
    if stage.taken_at is None:
        verdict.lose([f"seen, and gone: {it.journal_id}" for it in gone])
    verdict.destroyed = len(stage.destroyed)
    garbled = [key for key, it in kept.items() if it.entry is None and key not in stage.destroyed]
    kept |= {it.journal_id: it for it in gone if it.journal_id not in stage.destroyed}
    kept |= {key: stage.witness.seen[key] for key in garbled}
    records = [kept[key] for key in sorted(kept, key=place) if place(key) <= end]
    verdict.entries = len(records)
    for told in holes(records, stage.acknowledged):
        if not verdict.destroyed:
            verdict.lose([told])
    return records


def holes(records: Iterable[Record], acknowledged: dict[str, int]) -> list[str]:
    """Tell of each entry that must be there and is not."""
    found: dict[str, set[int]] = defaultdict(set)
    for it in records:
        if it.entry is not None:
            found[it.entry.source].add(it.entry.seq)
    last = {source: max((acknowledged.get(source, 0), *seqs)) for source, seqs in found.items()}
    return [
        f"{source} has no entry {seq}"
        for source, seqs in found.items()
        for seq in range(1, last[source] + 1)
        if seq not in seqs
    ]


def rewrite(url: str, records: Sequence[Record]) -> None:
    """Make these the journal of a server."""
    with connect(url) as client:
        client.delete(stream_key(0))
        for first in range(0, len(records), 1000):
            pipeline = client.pipeline(transaction=False)
            for it in records[first : first + 1000]:
                pipeline.xadd(stream_key(0), {FIELD: it.raw}, id=it.journal_id)
            pipeline.execute()


def judge_replay(verdict: Verdict, recording: Recording, database: Path) -> None:
    """Take the journal again without any fault: the same rows, no more and no fewer."""
    here, again = tables_of(recording.database), tables_of(replay(recording, database))
    verdict.rows = sum(map(len, here.values()))
    for name, rows in here.items():
        verdict.repeat([f"{name}: written without a reason: {it}" for it in set(rows) - set(again[name])])
        verdict.lose([f"{name}: not written: {it}" for it in set(again[name]) - set(rows)])


def judge_truth(verdict: Verdict, stage: Stage, records: Sequence[Record], truth: dict[str, Any]) -> None:
    """Compare with what happened: each stay has one row, and only a gap may leave a doubt."""
    rows, records = rows_of(stage.daemon.config.database), [it for it in records if it.entry is not None]
    for problem in Comparison(rows, truth, watched(records), stage.late_ms).problems:
        if problem.startswith("no presence"):
            verdict.repeat([problem])
        elif problem.startswith("no row"):
            verdict.lose([problem])
        else:
            verdict.told.append(problem)
    verdict.told += outside_gaps(rows, records, stage.stalls)
