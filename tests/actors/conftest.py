"""A partition on storage in plain memory, and a watch that no test leaves a thread behind."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pykka
import pytest

from engine.actors import children, committer, partition
from engine.actors.aftermath import Aftermath
from engine.actors.partition import Begin, Inside, Partition, PartitionSettings
from engine.actors.pool import Dispatcher
from engine.actors.shared import Shared
from engine.actors.sight import Published
from engine.actors.supervisor import Budget, Children, Roster, Supervisor, Watch
from engine.domain.inputs import Entry, Input
from engine.domain.rules import Rules
from engine.storage.database import open_readonly
from engine.storage.protocols import Stores
from tests.actors.evening import EVENING, rows_of
from tests.actors.evening import RULES as OF_EVENING
from tests.actors.forgetting import Ledger
from tests.actors.memory import MemoryJournal, MemoryLedger, MemoryLive, MemoryOutbox, Rows, fold
from tests.daemon.replay import tables_of
from tests.poison import POISON, poisoned
from tests.waiting import until

DEADLINE_S = 15.0
BUDGET, RULES = Budget(), Rules()


@pytest.fixture
def wait_until():
    """``wait_until(condition, what)``: poll until it holds."""
    return until


@pytest.fixture(autouse=True)
def _no_thread_stays():
    before = set(threading.enumerate())
    yield
    pykka.ActorRegistry.stop_all(timeout=DEADLINE_S)
    until(lambda: set(threading.enumerate()) <= before, "the end of every thread")


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    """The waits are for people and machines; the tests want their order only."""
    monkeypatch.setattr(partition, "BLOCK_MS", 5)
    monkeypatch.setattr(partition, "AWAY_S", 0.002)
    monkeypatch.setattr(partition, "BUSY_S", 0.002)
    monkeypatch.setattr(partition, "QUIET_MS", 10)
    monkeypatch.setattr(partition, "LOOK_S", 0.05)
    monkeypatch.setattr(children, "BUSY_S", 0.002)
    monkeypatch.setattr(committer, "RETRY_S", (0.001, 0.002))


@pytest.fixture
def dispatchers() -> Iterator[Callable[[int], Dispatcher]]:
    """``dispatchers(workers)``: one that is stopped at the end."""
    made: list[Dispatcher] = []

    def make(workers: int) -> Dispatcher:
        made.append(Dispatcher(workers))
        return made[-1]

    yield make
    for it in made:
        it.stop()


class Bench:
    """One partition and all it needs; after ``stop``, ``start`` goes on with the same storage."""

    def __init__(
        self, workers: int = 1, budget: Budget = BUDGET, rules: Rules = RULES, **settings: int
    ) -> None:
        self.rules, self.settings = rules, PartitionSettings(**settings)
        self.journal, self.ledger = MemoryJournal(), MemoryLedger()
        self.live, self.outbox = MemoryLive(), MemoryOutbox()
        self.written: list[Entry] = []
        self.given_up: list[str] = []
        self.dispatcher = Dispatcher(workers)
        self.supervisor = Supervisor.start(self.given_up.append, budget)
        self.aftermath = Aftermath()
        self.ref: pykka.ActorRef[Partition]
        self.inside: Inside

    def start(self) -> "Bench":
        stores = Stores(self.journal, self.ledger, self.live, self.outbox)
        shared = Shared(self.dispatcher, self.supervisor, self.aftermath, Published())
        self.ref = Partition.start(self.settings, stores, shared, self.rules)
        self.inside = self.ref.ask(Begin(), timeout=DEADLINE_S)
        self.supervisor.tell(Watch("partition:0", self.ref, lambda: self.inside.stats.death))
        return self

    def write(self, *inputs: Input, source: str = "ingest") -> None:
        for it in inputs:
            self.written.append(Entry(source, len(self.written), it))
            self.journal.append(self.written[-1])

    def settle(self) -> None:
        """Wait until all that was written is committed."""
        until(lambda: self.ledger.cursor == self.journal.last_id(), "the last commit")

    def stop(self) -> None:
        self.inside.halt()
        assert self.ref.stop(timeout=DEADLINE_S), "the partition had died"

    def close(self) -> None:
        if hasattr(self, "ref") and self.ref.is_alive():
            self.stop()
        self.supervisor.stop(timeout=DEADLINE_S)
        self.aftermath.stop()
        self.dispatcher.stop()

    def roster(self) -> Roster:
        return self.supervisor.ask(Children(), timeout=DEADLINE_S)

    def watched(self, name: str) -> "pykka.ActorRef[Any]":
        self.roster()  # answered after what was told before
        return self.supervisor._actor_weakref()._watched[name].ref

    def expected(self) -> Rows:
        return fold(self.written, self.rules)


@pytest.fixture
def make_bench() -> Iterator[Callable[..., Bench]]:
    """``make_bench(...)``: a bench, not yet started; see ``Bench``."""
    made: list[Bench] = []

    def make(**settings: Any) -> Bench:
        made.append(Bench(**settings))
        return made[-1]

    yield make
    for it in made:
        it.close()


@pytest.fixture
def evening(make_bench) -> Rows:
    """The rows of the evening (see ``tests.actors.evening``), taken entry by entry."""
    bench = make_bench(rules=OF_EVENING, batch_max_entries=1)
    bench.write(*EVENING)
    bench.start().settle()
    return rows_of(bench)


@pytest.fixture
def make_durable(make_bench, tmp_path) -> Iterator[Callable[..., Bench]]:
    """``make_durable(name, ...)``: a bench on a ledger in a file of that name, not yet started."""
    made: list[Bench] = []

    def make(name: str = "rollcall", **settings: Any) -> Bench:
        made.append(make_bench(**settings))
        made[-1].ledger = Ledger(tmp_path / f"{name}.db", 0)
        return made[-1]

    yield make
    for it in made:
        it.close()
        it.ledger.close()


@pytest.fixture
def tables(tmp_path):
    """``tables(name)``: all rows of the ledger of that name, by table."""
    return lambda name="rollcall": tables_of(tmp_path / f"{name}.db")


@pytest.fixture
def ask(tmp_path):
    """``ask(sql, ...)``: the rows that a ledger answers with."""

    def ask(sql, *values, name="rollcall"):
        with closing(open_readonly(tmp_path / f"{name}.db")) as database:
            return database.execute_sql(sql, values).fetchall()

    return ask


@pytest.fixture
def poison(monkeypatch):
    """A set of users whose updates no step can take."""
    return poisoned(monkeypatch, POISON)


@pytest.fixture
def answers():
    """What ``make_strict``'s benches answered, by request."""
    return {}


@pytest.fixture
def make_strict(make_bench, answers):
    """A bench one entry a batch, that quarantines at the second failure and keeps what is answered."""

    def one(**settings):
        bench = make_bench(**{"batch_max_entries": 1, "budget": Budget(1, 30_000)} | settings)
        bench.aftermath.answers.give = lambda it: answers.update({it.request_id: it})
        return bench

    return one


@pytest.fixture
def bench(make_bench) -> Bench:
    """A bench that runs."""
    return make_bench().start()
