"""The actors together: a start that fails leaves nothing, a death says why, and a stop is no death."""

import threading
from types import SimpleNamespace

import pykka
import pytest
from structlog.testing import capture_logs

from engine.actors import engine as module
from engine.actors.engine import Engine, EngineSettings
from engine.actors.supervisor import CheckChildren, Watch
from engine.domain.inputs import Entry, VoiceStateChanged
from engine.domain.rules import Rules
from engine.storage.protocols import StorageError, Stores
from tests.actors.memory import MemoryJournal, MemoryLedger, MemoryLive, MemoryOutbox

UPDATE = Entry("ingest", 1, VoiceStateChanged(1_000, 1 << 22, 5, 7))


def broken(*_):
    raise StorageError("rollcall.db: disk I/O error")


def stores():
    return Stores(MemoryJournal(), MemoryLedger(), MemoryLive(), MemoryOutbox())


@pytest.fixture
def start():
    """``start(*stores)``: a running engine, stopped at the end."""
    started = []

    def start(*of_partitions):
        started.append(Engine(EngineSettings(), of_partitions, Rules()))
        started[-1].start()
        return started[-1]

    yield start
    for engine in started:
        engine.stop()


@pytest.fixture
def check(wait_until):
    """``check(engine)``: check until it has failed; return the reason."""

    def check(engine):
        wait_until(lambda: engine.check() or engine.failed.is_set(), "the engine's failure")
        return engine.reason

    return check


@pytest.mark.parametrize("unreadable", [0, 1])
def test_a_ledger_that_cannot_be_read_is_the_error_and_nothing_runs_on(start, unreadable):
    """Whether a thread stays is looked after in conftest."""
    of_partitions = [stores(), stores()]
    of_partitions[unreadable].ledger.load_partition = broken
    with pytest.raises(StorageError, match=r"^rollcall\.db: disk I/O error$"):
        start(*of_partitions)
    assert pykka.ActorRegistry.get_all() == []


def test_a_commit_that_cannot_be_is_the_reason(start, check):
    of_partition = stores()
    of_partition.ledger.on_commit = broken
    engine = start(of_partition)
    of_partition.journal.append(UPDATE)
    assert check(engine) == "committer:0 died: rollcall.db: disk I/O error"


def test_a_guild_that_cannot_be_loaded_is_the_reason(start, check):
    of_partitions = [stores(), stores()]
    of_partitions[1].ledger.on_load = broken
    engine = start(*of_partitions)
    of_partitions[1].journal.append(UPDATE)
    assert check(engine) == "partition:1 died: rollcall.db: disk I/O error"


def test_a_defect_is_the_reason_in_one_line(start, check):
    def defect(*_):
        raise ValueError("two\nlines")

    of_partition = stores()
    of_partition.journal.read = defect
    assert check(start(of_partition)) == "partition:0 died: ValueError: two lines"


def test_a_partition_that_dies_of_its_committer_says_what_that_died_of(start, wait_until):
    of_partition = stores()
    of_partition.ledger.on_commit = broken
    engine = start(of_partition)
    of_partition.journal.append(UPDATE)
    wait_until(lambda: not engine.alive() or of_partition.journal.append(UPDATE), "the partition's end")
    assert engine.inside[0].stats.death == "rollcall.db: disk I/O error"


def test_a_worker_that_died_ends_the_engine(start, check):
    """Nobody would take what it had in hand: its partition would wait for a minute first."""
    engine = start(stores())
    engine._dispatcher._ready.put(())  # what ends a worker
    assert check(engine) == "a worker thread of the actors died"


def test_a_partition_that_ends_behind_a_supervisor_that_hangs_ends_the_engine(start, check, monkeypatch):
    monkeypatch.setattr(module, "TELLS_WITHIN_S", 0.01)
    of_partition = stores()
    of_partition.ledger.on_commit = broken
    engine = start(of_partition)
    hangs, over = threading.Event(), threading.Event()
    watched = SimpleNamespace(is_alive=lambda: hangs.set() or over.wait(30))
    engine._supervisor.tell(Watch("something", watched, str))
    engine._supervisor.tell(CheckChildren())
    assert hangs.wait(10)
    of_partition.journal.append(UPDATE)
    of_partition.journal.append(UPDATE)
    try:
        reason = check(engine)
    finally:
        over.set()
    assert reason == "partition 0 has ended, and the supervisor does not answer"


def test_a_partition_that_gets_nowhere_ends_the_engine(start, check, monkeypatch):
    engine = start(stores())
    monkeypatch.setattr(engine.inside[0].stats.pulse, "_clock", lambda: float("inf"))
    assert check(engine).startswith("partition 0: no progress for ")


def test_children_that_end_in_a_planned_stop_have_not_died(start, monkeypatch):
    engine = start(stores(), stores())
    stop = module._stop

    def stop_and_look(ref):
        stop(ref)
        engine.check()
        engine.roster()  # answered after the look

    monkeypatch.setattr(module, "_stop", stop_and_look)
    with capture_logs() as logs:
        engine.stop()
    assert [it["event"] for it in logs] == ["engine_stopped"]
    assert not engine.failed.is_set()
