"""A partition over storage that is busy, away, replaced or lost: nothing is lost, nothing is taken twice."""

import threading

import pytest

from engine.actors.supervisor import CheckChildren, Children
from engine.domain.inputs import Heartbeat, ShardBeat, VoiceStateChanged
from engine.domain.rules import MEMORY_MS
from engine.storage.protocols import StorageBusy, StorageError

GUILD, OTHER = 1 << 22, 2 << 22


def moved(at, user_id, channel_id=7, guild_id=GUILD):
    return VoiceStateChanged(at, guild_id, user_id, channel_id)


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


def test_a_journal_away_is_waited_for_and_then_read_on(bench, wait_until):
    bench.write(moved(1_000, 5))
    bench.settle()
    bench.journal.away = True
    wait_until(lambda: bench.inside.stats.journal_away_since is not None, "the loss to be seen")
    bench.write(moved(9_000, 5, None))
    bench.journal.away = False
    bench.settle()
    assert bench.inside.stats.journal_away_since is None
    assert bench.ledger.rows == bench.expected()
    assert bench.inside.stats.duplicates == 0


def test_a_journal_away_at_the_start_is_waited_for(make_bench, wait_until):
    bench = make_bench()
    bench.journal.away = True
    bench.start().write(moved(1_000, 5))
    wait_until(lambda: bench.inside.stats.journal_away_since is not None, "the loss to be seen")
    bench.journal.away = False
    bench.settle()
    assert bench.ledger.rows == bench.expected()


def test_a_halt_does_not_wait_for_a_journal_that_is_away(make_bench):
    bench = make_bench()
    bench.journal.away = True
    bench.start().stop()
    assert not bench.ref.is_alive()


@pytest.mark.parametrize("kept", [0, 1, 3])
@pytest.mark.parametrize("running", [True, False])
def test_a_journal_restored_older_is_read_from_its_start_and_sources_drop_what_was_taken(
    make_bench, wait_until, kept, running
):
    bench = make_bench().start()
    bench.write(moved(1_000, 5), moved(2_000, 6), moved(3_000, 5, 8), moved(4_000, 6, None))
    bench.settle()
    if not running:
        bench.stop()
    bench.journal.replace(bench.journal.records[:kept], kept)
    if not running:
        bench.start()
    wait_until(lambda: bench.inside.stats.rewinds == 1, "the rewind")
    bench.settle()
    bench.write(moved(9_000, 5, None))
    bench.settle()
    assert bench.ledger.rows == bench.expected()
    assert bench.inside.stats.duplicates == kept
    assert bench.ledger.load_partition().now == 9_000


def test_a_corrupt_record_becomes_a_dead_letter_and_the_rest_goes_on(make_bench):
    bench = make_bench()
    bench.write(moved(1_000, 5))
    bench.journal.append(None, "not msgpack")
    bench.write(moved(9_000, 5, None))
    bench.start().settle()
    (letter,) = bench.ledger.letters.values()
    assert letter[:4] == ("2-0", None, b"raw", "not msgpack")
    assert bench.inside.stats.corrupt == 1
    assert bench.ledger.rows == bench.expected()


def test_a_batch_of_nothing_but_corrupt_records_moves_the_cursor(bench):
    bench.journal.append(None, "not msgpack")
    bench.settle()
    assert list(bench.ledger.letters) == ["1-0"]


def test_an_entry_appended_twice_is_taken_once(bench):
    bench.write(moved(1_000, 5))
    bench.journal.append(bench.written[0])
    bench.settle()
    assert bench.inside.stats.duplicates == 1
    assert bench.ledger.rows == bench.expected()


def test_parked_guilds_come_back_as_they_were(make_bench):
    bench = make_bench(batch_max_entries=1, park_after_ms=1_000)
    for n in range(1, 8):
        bench.write(moved(n * 70_000, 5, n % 3 or None), moved(n * 70_000 + 100, 6, 8 + n % 2, OTHER))
        bench.write(Heartbeat(n * 70_000 + 60_000, (ShardBeat(0, "c", True, n * 70_000 + 60_000),)))
    bench.start().settle()
    assert bench.ledger.rows == bench.expected()
    assert bench.inside.stats.parked >= 10


def test_a_guild_is_parked_only_when_all_it_did_is_committed(make_bench):
    bench = make_bench(batch_max_entries=1, park_after_ms=1_000)
    tries = iter(range(20))

    def slowly(commit):
        if commit.state.cursor == "2-0" and next(tries, None) is not None:
            raise StorageBusy("locked")

    bench.ledger.on_commit = slowly
    bench.write(Heartbeat(1_000), moved(60_000, 5), Heartbeat(62_000), moved(70_000, 5, None))
    bench.start().settle()
    assert bench.inside.stats.parked == 1
    assert bench.ledger.rows == bench.expected()


def test_a_guild_parked_for_longer_than_its_memory_comes_back(make_bench, wait_until):
    bench = make_bench(batch_max_entries=1, park_after_ms=1_000).start()
    bench.write(moved(1_000, 5), moved(5_000, 5, None), Heartbeat(MEMORY_MS * 2))
    wait_until(lambda: len(bench.inside.guilds) == 0, "the guild to be parked")
    bench.write(moved(MEMORY_MS * 2 + 5, 5))
    bench.settle()
    assert bench.ledger.rows == bench.expected()


def test_a_living_guild_can_be_described_and_a_parked_one_is_not_woken(make_bench):
    bench = make_bench().start()
    bench.write(moved(1_000, 5))
    bench.settle()
    described = bench.inside.guilds.describe(GUILD)
    assert described["guildId"] == str(GUILD)
    (session,) = described["openSessions"]
    assert (session["userId"], session["joinedAt"]) == ("5", "1970-01-01T00:00:01.000Z")
    assert session["flags"] == []
    assert bench.inside.guilds.rows() == [(GUILD, 1_000, 0)]
    assert bench.inside.guilds.describe(OTHER) is None


def test_two_partitions_share_a_dispatcher_and_nothing_else(make_bench):
    one, two = make_bench(number=0), make_bench(number=1)
    two.dispatcher.stop()
    two.dispatcher = one.dispatcher
    for n in range(1, 200):
        one.write(moved(n * 500, n % 7, n % 3 or None, GUILD))
        two.write(moved(n * 700, n % 5, n % 4 or None, OTHER))
    for it in (one, two):
        it.start()
    for it in (one, two):
        it.settle()
        assert it.ledger.rows == it.expected()
