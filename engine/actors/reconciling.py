"""Whether what others see is what the ledger says: checked at the start, each few minutes, and on demand.

A check goes through everything a portion at a time, in the committer's thread and between its commits, so
that ledger and mirror stand at one cursor while a portion is compared, and no commit waits for more than one.
What differs is counted by kind and repaired: the mirror is written anew, what is left of guilds that the bot
is not in is closed by an entry of the journal, as everything is. Sessions that no connection of now has
confirmed are counted only: the snapshot that settles them is Discord's to send.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple, Protocol

import structlog

from engine.domain.inputs import GuildLost
from engine.domain.partition import START, PartitionState
from engine.domain.views import iso
from engine.inspection import Described, Sample
from engine.storage.protocols import StorageError

log = structlog.get_logger(__name__)

GUILDS_AT_ONCE = 100
AGAIN_S = 10.0  # after a check that Redis or the ledger cut short
CURSOR, UNCONFIRMED, LOST = "live_cursor", "sessions_unconfirmed", "sessions_of_lost_guilds"
_OF_MIRROR = "live_"
# Where mirror and ledger stand before the first commit of all.
_NEW = (None, START)


# Of how many guilds, sessions and events, and how many differ, by kind.
Portion = tuple[int, int, int, Counter[str]]
State = Callable[[], PartitionState]
Mend = Callable[[PartitionState], None]


class Compared(Protocol):
    """A ledger and its mirror side by side; ``storage.comparison`` fulfils it.

    All methods raise ``ConnectionError`` or ``StorageError`` where one of them cannot be read.
    """

    def cursor(self) -> str | None:
        """Return where the mirror stands."""
        ...

    def portions(self, guilds: int) -> Iterator[Portion]:
        """Compare all there is, so many guilds at each step."""
        ...

    def unwatched(self, connected: Collection[str]) -> tuple[dict[int, int], dict[int, int]]:
        """Count by guild open sessions that no snapshot of these connections, or no membership stands for."""
        ...


class Report(NamedTuple):
    """One check of one partition. ``differences``: by kind, how many. ``error``: what cut it short."""

    number: int
    at: int
    took_ms: int
    guilds: int
    sessions: int
    events: int
    differences: dict[str, int]
    error: str = ""


class Reconciler:
    """One partition's checks. The committer's thread does them; any thread may ask for one and read.

    ``every_s``: between two of them. ``compared`` None: there is nothing to compare, and none is done.
    """

    def __init__(
        self,
        compared: Compared | None,
        every_s: float,
        lost: Callable[[list[GuildLost]], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._compared, self._every_s, self._lost, self._monotonic = compared, every_s, lost, monotonic
        self._due_at = 0.0 if every_s else float("inf")
        self._asked, self._ordered = False, False
        self._portions: Iterator[Portion] | None = None
        self._report = Report(0, 0, 0, 0, 0, 0, {})
        self._started_at = 0.0
        self._done = threading.Condition()
        self.last: Report | None = None
        self.totals: Counter[str] = Counter()

    def ask(self, timeout_s: float) -> Report | None:
        """Have a check made from now on, and return it; None where none has ended in that time."""
        with self._done:
            # One that is under way may have passed by what has become wrong since.
            wanted = (self.last.number if self.last else 0) + (2 if self._portions is not None else 1)
            self._asked = True
            self._done.wait_for(lambda: self.last is not None and self.last.number >= wanted, timeout_s)
            return self.last if self.last is not None and self.last.number >= wanted else None

    def waits(self) -> bool:
        """Say, to the partition, whether the committer has to be told to go on."""
        if self._compared is None or self._ordered:
            return False
        return self._portions is not None or self._asked or self._monotonic() >= self._due_at

    def ordered(self) -> None:
        """Note that the committer is told, and need not be again until it has gone on."""
        self._ordered = True

    def go_on(self, state: State, mend: Mend, *, busy: Callable[[], bool]) -> None:
        """Compare portions while nobody waits, one at least.

        ``state``: where the partition stands. ``mend`` writes the mirror anew, as of there. Without Redis or
        the ledger the check is cut short.
        """
        self._ordered = False
        try:
            while self._step(state, mend):
                if busy():
                    return
        except (ConnectionError, StorageError) as error:
            self._end(AGAIN_S, str(error))

    def _step(self, state: State, mend: Mend) -> bool:
        """Compare one portion, or finish; return whether there is more to do."""
        if self._portions is None:
            self._begin()
            self._look_at_cursor(state())
            return True
        portion = next(self._portions, None)
        if portion is not None:
            self._count(portion)
            return True
        self._finish(state(), mend)
        return self._asked

    def _begin(self) -> None:
        assert self._compared is not None
        with self._done:
            self._asked = False
            number = (self.last.number if self.last else 0) + 1
            self._portions = self._compared.portions(GUILDS_AT_ONCE)
        self._started_at = self._monotonic()
        self._report = Report(number, 0, 0, 0, 0, 0, {})

    def _look_at_cursor(self, state: PartitionState) -> None:
        assert self._compared is not None
        self._report = self._report._replace(at=state.now)
        stands_at = self._compared.cursor()
        if stands_at != state.cursor and (stands_at, state.cursor) != _NEW:
            self._report.differences[CURSOR] = 1

    def _count(self, portion: Portion) -> None:
        so_far, (guilds, sessions, events, differences) = self._report, portion
        self._report = so_far._replace(
            guilds=so_far.guilds + guilds,
            sessions=so_far.sessions + sessions,
            events=so_far.events + events,
            differences=dict(Counter(so_far.differences) + differences),
        )

    def _finish(self, state: PartitionState, mend: Mend) -> None:
        if any(it.startswith(_OF_MIRROR) for it in self._report.differences):
            mend(state)
        self._look_for_unwatched(state)
        self._end(self._every_s or float("inf"))

    def _look_for_unwatched(self, state: PartitionState) -> None:
        assert self._compared is not None
        connected = [name for name, it in state.connections.items() if it.connected]
        unconfirmed, lost = self._compared.unwatched(connected)
        found = {UNCONFIRMED: sum(unconfirmed.values()), LOST: sum(lost.values())}
        self._report.differences.update({kind: count for kind, count in found.items() if count})
        if lost:
            self._lost([GuildLost(state.now, guild_id) for guild_id in lost])

    def _end(self, again_in_s: float, error: str = "") -> None:
        now = self._monotonic()
        took_ms = round((now - self._started_at) * 1000)
        report = self._report._replace(took_ms=took_ms, error=error)
        known = self.last.differences if self.last else {}
        for kind, count in report.differences.items():
            # What nobody but Discord can settle stands there again each time: told and counted once.
            fresh = count - known.get(kind, 0) if kind == UNCONFIRMED else count
            if fresh > 0:
                self.totals[kind] += fresh
                log.warning("reconcile_difference", kind=kind, count=fresh)
        with self._done:
            self._due_at = now + again_in_s
            self.last, self._portions = report, None
            self._done.notify_all()


def described(reconcilers: Iterable[Reconciler], rewinds: int) -> Described:
    """Return the last checks as plain values: of all partitions together, and of each."""
    reports = [it.last for it in reconcilers if it.last is not None]
    differences = sum((Counter(it.differences) for it in reports), Counter[str]())
    return {
        "at": iso(at) if (at := max((it.at for it in reports), default=0)) else None,
        "tookMs": max((it.took_ms for it in reports), default=None),
        "guilds": sum(it.guilds for it in reports),
        "sessions": sum(it.sessions for it in reports),
        "events": sum(it.events for it in reports),
        "differences": dict(sorted(differences.items())),
        "journalRewinds": rewinds,
        "errors": [it.error for it in reports if it.error],
    }


def reconcile_samples(reconcilers: Iterable[Reconciler], rewinds: int) -> Iterable[Sample]:
    """Yield how often what differed, and when that was last looked at."""
    checks = list(reconcilers)
    totals = sum((it.totals for it in checks), Counter({"journal_behind_cursor": rewinds}))
    told = "What differed from the ledger, or stood for nothing"
    for kind in KINDS:
        yield Sample("rollcall_reconcile_differences_total", "counter", told, totals[kind], {"kind": kind})
    at = max((it.last.at for it in checks if it.last is not None), default=0)
    told = "When the last check was made, in the partition's time"
    yield Sample("rollcall_reconcile_last_timestamp_seconds", "gauge", told, at / 1000)


KINDS = (
    "live_missing",
    "live_stale",
    "live_other",
    "live_events",
    CURSOR,
    UNCONFIRMED,
    LOST,
    "journal_behind_cursor",
)
