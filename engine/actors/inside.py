"""What others may look at of a running partition, from any thread."""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import structlog

from engine.actors.alarms import Alarms
from engine.actors.children import ChildActors
from engine.actors.committer import CommitterStats
from engine.actors.events import Events
from engine.actors.pulse import STUCK_S, Pulse
from engine.actors.reconciling import Reconciler
from engine.domain.gateway import Hole
from engine.domain.partition import Admission, PartitionState
from engine.storage.protocols import Commit, Journal, Record

log = structlog.get_logger(__name__)

HOLES_TOLD = 64


class PartitionStats:
    """Counters that others may read at any time."""

    def __init__(self) -> None:
        self.entries = 0
        self.batches = 0
        self.duplicates = 0
        self.missing = 0
        self.holes: deque[Hole] = deque(maxlen=HOLES_TOLD)  # as of ``Admission``, the last
        self.late = 0
        self.corrupt = 0
        self.dead_letters = 0
        self.parked = 0
        self.journal_away_since: float | None = None
        self.state = PartitionState()
        self.rewinds = 0
        self.death = ""  # what it died of
        self.pulse = Pulse()

    def count(self, records: list[Record], commit: Commit, admission: Admission[Any]) -> None:
        """Count a batch."""
        self.entries += len(records)
        self.batches += 1
        self.duplicates += admission.duplicates
        self.missing += admission.missing
        self.holes += admission.holes
        self.late += admission.late
        self.corrupt += sum(record.entry is None for record in records)
        self.dead_letters += len(commit.dead_letters)
        if admission.missing:
            log.error("journal_entries_missing", entries=admission.missing, before=records[-1].journal_id)
        for letter in commit.dead_letters:
            log.error("dead_letter", journal_id=letter.journal_id, reason=letter.reason)


class Inside(NamedTuple):
    """What others may look at, from any thread: numbers, the state by reference, and the guilds' names."""

    number: int
    stats: PartitionStats
    committer: CommitterStats
    guilds: ChildActors
    events: Events
    alarms: Alarms
    journal: Journal
    halt: Callable[[], None]
    reconciler: Reconciler

    def holes(self) -> list[Hole]:
        """Return the connections that are in doubt, and the writers' lives, each with since when."""
        doubted = [
            (name, it.doubted_at)
            for name, it in self.stats.state.connections.items()
            if it.connected and it.doubted_at is not None
        ]
        return [*doubted, *self.stats.holes.copy()]

    def stuck(self) -> list[str]:
        """Return which of its threads have been silent for too long, a line each."""
        pulses = {"partition": self.stats.pulse, "committer": self.committer.pulse}
        silent = {name: pulse.silent_s() for name, pulse in pulses.items()}
        return [
            f"{name} {self.number}: no progress for {silent_s:.0f} s"
            for name, silent_s in silent.items()
            if silent_s > STUCK_S
        ]
