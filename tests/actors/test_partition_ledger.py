"""A partition over a ledger that is busy, slow or broken: nothing is lost, nothing is taken twice."""

import threading

import pytest

from engine.actors.supervisor import CheckChildren, Children
from engine.storage.protocols import StorageBusy, StorageError
from tests.actors.inputs import moved


class Busy:
    """A ledger's hook: busy while ``busy`` is set."""

    def __init__(self):
        self.busy, self.tries = True, 0

    def __call__(self, *_):
        self.tries += 1
        if self.busy:
            raise StorageBusy("locked")


@pytest.fixture
def busy(bench):
    bench.ledger.on_commit = Busy()
    return bench.ledger.on_commit


def test_a_busy_ledger_is_tried_again_and_nothing_is_lost(bench, busy, wait_until):
    bench.write(moved(1_000, 5), moved(9_000, 5, None))
    wait_until(lambda: busy.tries > 5, "a few tries")
    assert bench.inside.committer.busy_since is not None
    assert bench.inside.committer.busy_reason == "locked"
    busy.busy = False
    bench.settle()
    wait_until(lambda: bench.inside.committer.busy_since is None)
    assert bench.ledger.rows == bench.expected()


@pytest.fixture
def stalled(make_bench, wait_until, monkeypatch):
    """``stalled(batch_max_entries)``: a bench under way, whose ledger is busy from now on.

    One batch may wait, so that bounds are reached with few entries.
    """
    monkeypatch.setattr("engine.actors.committer.COMMITS_AHEAD", 1)

    def make(batch_max_entries):
        bench = make_bench(batch_max_entries=batch_max_entries).start()
        bench.write(moved(500, 1))
        bench.settle()
        wait_until(lambda: bench.inside.stats.batches == 1 and len(bench.inside.guilds) == 1)
        bench.ledger.on_commit = Busy()
        return bench

    return make


def test_a_partition_runs_no_further_ahead_of_the_ledger_than_the_bound(stalled, wait_until):
    """One batch at the ledger, one waiting, one in the partition's hand: the journal keeps the rest."""
    bench = stalled(10)
    busy = bench.ledger.on_commit
    bench.write(*(moved(1_000 + n, n) for n in range(200)))
    wait_until(lambda: bench.inside.stats.batches == 3, "the partition to fill what it may")
    tries, taken = busy.tries, bench.journal.taken
    wait_until(lambda: busy.tries > tries + 10, "some more tries")
    assert taken <= 31
    assert bench.journal.taken <= 31
    busy.busy = False
    bench.settle()
    assert bench.ledger.rows == bench.expected()


@pytest.mark.parametrize("waiting", [1, 2, 3, 4])
def test_a_stop_with_a_busy_ledger_ends_and_a_new_start_goes_on(stalled, wait_until, waiting):
    bench = stalled(1)
    bench.write(*(moved(1_000 * n, n) for n in range(1, waiting + 1)))
    wait_until(lambda: bench.journal.taken == 1 + min(waiting, 3), "the partition to fill what it may")
    bench.stop()
    assert bench.ledger.cursor == "1-0"
    bench.ledger.on_commit.busy = False
    bench.start().settle()
    assert bench.ledger.rows == bench.expected()


def test_batches_that_wait_for_the_ledger_go_into_one_transaction(make_bench, wait_until):
    bench = make_bench(batch_max_entries=1).start()
    bench.write(moved(500, 1))
    bench.settle()
    commits = []
    slow = threading.Event()
    bench.ledger.on_commit = lambda commit: (commits.append(commit), slow.wait(10))
    bench.write(moved(1_000, 1))
    wait_until(lambda: commits, "the ledger to be at work")
    bench.write(*(moved(1_000 * n, n) for n in range(2, 7)))
    wait_until(lambda: bench.inside.stats.batches == 7, "the others to wait")
    slow.set()
    bench.settle()
    assert [commit.state.cursor for commit in commits] == ["2-0", "7-0"]
    assert commits[1].before == commits[0].state.cursor
    assert bench.ledger.rows == bench.expected()


def test_a_stop_commits_all_that_was_taken(make_bench, wait_until, monkeypatch):
    monkeypatch.setattr("engine.actors.committer.COMMITS_AHEAD", 1)
    bench = make_bench(batch_max_entries=3).start()
    bench.write(moved(500, 1))
    bench.settle()
    slow = threading.Event()
    bench.ledger.on_commit = lambda _commit: slow.wait(10)
    bench.write(*(moved(1_000 * n, n % 5, n % 3) for n in range(1, 100)))
    wait_until(lambda: bench.journal.taken == 10, "three batches")
    bench.inside.halt()
    stop = bench.ref.stop(block=False)
    slow.set()
    assert stop.get(timeout=15)
    assert bench.ledger.cursor == f"{bench.journal.taken}-0"
    bench.start().settle()
    assert bench.ledger.rows == bench.expected()


def test_a_commit_that_took_effect_though_it_raised_is_not_applied_twice(bench):
    raised = iter([True])

    def lost_reply(_commit):
        if next(raised, False):
            raise StorageBusy("connection lost")

    bench.ledger.on_committed = lost_reply
    bench.write(moved(1_000, 5), moved(3_000, 6))
    bench.settle()
    bench.write(moved(9_000, 5, None))
    bench.settle()
    assert bench.inside.committer.retries == 1
    assert bench.ledger.rows == bench.expected()


def test_a_broken_ledger_ends_the_partition_and_the_engine_is_given_up(bench, wait_until):
    def broken(_commit):
        raise StorageError("rollcall.db is read-only")

    bench.ledger.on_commit = broken
    bench.write(moved(1_000, 5))
    wait_until(lambda: not bench.watched("committer:0").is_alive(), "the committer's end")
    bench.supervisor.ask(CheckChildren(), timeout=10)
    assert bench.given_up[0] == "committer:0 died: rollcall.db is read-only"
    bench.write(moved(2_000, 5))
    wait_until(lambda: not bench.ref.is_alive(), "the partition's end")
    bench.supervisor.ask(CheckChildren(), timeout=10)
    assert bench.given_up[-1] == "partition:0 died: rollcall.db is read-only"


def test_an_ask_that_a_dying_committer_will_never_answer_ends_the_partition(bench, wait_until):
    """pykka looks whether an actor lives, then puts: here the committer ends in between."""
    committer = bench.watched("committer:0")
    bench.write(moved(500, 1))
    bench.settle()
    committer.stop(timeout=10)
    alive = iter([True])
    committer.is_alive = lambda: next(alive, False)
    bench.journal.replace([], 0)  # a rewind drains first
    wait_until(lambda: not bench.ref.is_alive(), "the partition's end")


def test_healthy_children_give_nothing_up(bench):
    bench.supervisor.ask(CheckChildren(), timeout=10)
    bench.supervisor.ask(Children(), timeout=10)
    assert bench.given_up == []
