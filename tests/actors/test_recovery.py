"""What a failing guild costs: nothing but the entries that cannot be taken."""

from functools import partial

import pytest

from engine.actors.supervisor import Budget
from engine.domain.inputs import Channel, GuildSnapshot
from engine.storage.protocols import StorageBusy, StorageError
from tests.actors.inputs import GUILD, OTHER, moved
from tests.poison import POISON, ask_first


@pytest.fixture
def trouble(monkeypatch):
    """``trouble(raises)``: the voice rule asks ``raises(change)`` first, which may raise."""

    return partial(ask_first, monkeypatch)


class Failures:
    """Raises at the calls with these numbers, counted over the whole engine."""

    def __init__(self, *numbers):
        self.numbers, self.calls = set(numbers), 0

    def __call__(self, _change):
        self.calls += 1
        if self.calls in self.numbers:
            raise RuntimeError(f"call {self.calls} fails")


class Poison:
    """Raises for one user, whenever it comes."""

    def __init__(self):
        self.tries = 0

    def __call__(self, change):
        if change.user_id == POISON:
            self.tries += 1
            raise RuntimeError("poison")


def test_effects_and_cursor_come_in_one_commit(make_bench):
    bench = make_bench()
    bench.write(moved(1_000, 5), moved(9_000, 5, None))
    bench.start().settle()
    (commit,) = bench.ledger.commits
    assert (commit.before, commit.state.cursor) == ("0-0", "2-0")
    assert bench.ledger.rows == bench.expected()
    assert len(bench.ledger.rows.sessions) == 1


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_an_actor_that_fails_once_is_restarted_and_its_rows_are_the_same(
    make_bench, trouble, workers, number
):
    bench = make_bench(workers=workers)
    bench.write(
        *(moved(1_000 * n, 5, n % 3 or None) for n in range(1, 4)), moved(9_000, 6, 8), moved(9_500, 6, 9)
    )
    expected = bench.expected()
    trouble(Failures(number))
    bench.start().settle()
    assert bench.ledger.rows == expected
    assert bench.ledger.letters == {}
    assert bench.roster().restarts == {f"guild:{GUILD}": 1}


def test_a_failing_guild_starts_again_from_what_was_committed_before_the_batch(make_bench, trouble):
    """Its predecessors' batches may still wait for the ledger when its actor fails."""
    bench = make_bench(batch_max_entries=2)
    bench.write(
        moved(1_000, 5), moved(2_000, 6), moved(3_000, 5, 8), moved(4_000, 6, None), moved(9_000, 5, None)
    )
    expected = bench.expected()
    busy = iter([True] * 20)

    def slowly(_commit):
        if next(busy, False):
            raise StorageBusy("locked")

    bench.ledger.on_commit = slowly
    trouble(Failures(3))
    bench.start().settle()
    assert bench.ledger.rows == expected


@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_poison_entry_becomes_a_dead_letter_after_three_fresh_tries_alone(make_bench, trouble, place):
    bench = make_bench()
    good = [moved(1_000, 5), moved(2_000, 6), moved(3_000, 5, 8), moved(5_000, 6, None)]
    bench.write(*good)
    expected = bench.expected()
    bench.journal.replace([], 0)
    bench.written.clear()
    bench.write(*good[:place], moved(2_500, POISON), *good[place:])
    poison = Poison()
    trouble(poison)
    bench.start().settle()
    assert bench.ledger.rows == expected
    (letter,) = bench.ledger.letters.values()
    assert (letter.journal_id, letter.guild_id) == (f"{place + 1}-0", GUILD)
    assert letter.reason == "RuntimeError: poison"
    assert poison.tries == 1 + 3


def test_after_a_poison_entry_at_a_batchs_end_the_next_batch_finds_the_guild_as_it_was(make_bench, trouble):
    """No actor is left that knows the batch's good entries, and the ledger may still be busy with them."""
    bench = make_bench(batch_max_entries=2)
    bench.write(moved(500, 8), moved(500, 9), moved(1_000, 5), moved(2_000, POISON), moved(9_000, 5, None))
    trouble(Poison())
    tries = iter(range(20))

    def slowly(commit):
        if commit.state.cursor == "4-0" and next(tries, None) is not None:
            raise StorageBusy("locked")

    bench.ledger.on_commit = slowly
    bench.start().settle()
    row = bench.ledger.rows.sessions[GUILD, 5, 1_000]
    assert (row.session.joined_at, row.left_at) == (1_000, 9_000)


@pytest.mark.parametrize("number", range(1, 14))
def test_a_failure_while_a_fresh_actor_catches_up_is_but_another_try(make_bench, trouble, number):
    """The batch fails, the poison fails alone, and then what was good before it fails too, once."""
    bench = make_bench(budget=Budget(100))
    good = [moved(1_000, 5), moved(2_000, 6), moved(4_000, 5, None)]
    bench.write(*good)
    expected = bench.expected()
    bench.journal.replace([], 0)
    bench.written.clear()
    bench.write(*good[:2], moved(3_000, POISON), *good[2:])
    poison, once = Poison(), Failures(number)

    def both(change):
        once(change)
        poison(change)

    trouble(both)
    bench.start().settle()
    assert bench.ledger.rows == expected
    assert [it.journal_id for it in bench.ledger.letters.values()] == ["3-0"]


def test_a_guild_above_its_budget_is_quarantined_and_the_others_go_on(make_bench, trouble):
    bench = make_bench(batch_max_entries=1, budget=Budget(restarts=2, period_ms=30_000))
    trouble(Poison())
    for n in range(1, 6):
        bench.write(moved(n * 1_000, POISON), moved(n * 1_000, n, guild_id=OTHER))
    bench.write(moved(7_000, 5))
    bench.start().settle()
    assert list(bench.roster().quarantined) == [f"guild:{GUILD}"]
    letters = bench.ledger.letters
    assert list(letters) == ["1-0", "3-0", "5-0", "7-0", "9-0", "11-0"]
    assert letters["3-0"].reason == "RuntimeError: poison"
    assert letters["5-0"].reason == letters["11-0"].reason == "quarantined: RuntimeError: poison"
    assert [it.session.user_id for it in bench.ledger.rows.sessions.values()] == [1, 2, 3, 4, 5]
    assert bench.given_up == []


def test_failures_further_apart_than_the_period_quarantine_nobody(make_bench, trouble):
    bench = make_bench(batch_max_entries=1, budget=Budget(restarts=2, period_ms=30_000))
    trouble(Poison())
    bench.write(*(moved(n * 15_000, POISON) for n in range(1, 10)))
    bench.start().settle()
    assert bench.roster().quarantined == {}
    assert {it.reason for it in bench.ledger.letters.values()} == {"RuntimeError: poison"}


def test_one_guilds_failure_leaves_the_others_of_its_batch_alone(make_bench, trouble):
    bench = make_bench(workers=4)
    guilds = [n << 22 for n in range(1, 21)]
    for at in (1_000, 5_000):
        bench.write(
            *(moved(at, n, 7 if at == 1_000 else None, guild_id) for n, guild_id in enumerate(guilds))
        )
    expected = bench.expected()
    trouble(Failures(3, 17))
    bench.start().settle()
    assert bench.ledger.rows == expected
    assert bench.ledger.letters == {}


@pytest.mark.parametrize("workers", [1, 4])
def test_a_ledger_too_busy_to_load_a_guild_is_waited_for(make_bench, workers):
    """The entry is not to blame: no dead letter, no restart is spent."""
    bench = make_bench(workers=workers)
    bench.write(moved(1_000, 5), moved(2_000, 6, guild_id=OTHER), moved(9_000, 5, None))
    tries = iter(range(10))

    def busy(guild_id):
        if guild_id == GUILD and next(tries, None) is not None:
            raise StorageBusy("locked")

    bench.ledger.on_load = busy
    bench.start().settle()
    assert bench.ledger.rows == bench.expected()
    assert bench.ledger.letters == {}
    assert bench.roster().restarts == {}


def test_a_halt_does_not_wait_for_a_ledger_too_busy_to_load(make_bench, wait_until):
    bench = make_bench()
    loads = []

    def busy(guild_id):
        loads.append(guild_id)
        raise StorageBusy("locked")

    bench.ledger.on_load = busy
    bench.start().write(moved(1_000, 5))
    wait_until(lambda: len(loads) > 3, "a few tries")
    bench.stop()
    assert bench.ledger.cursor == "0-0"
    assert bench.ledger.letters == {}


def test_a_ledger_that_cannot_load_ends_the_partition_and_blames_no_entry(make_bench, wait_until):
    bench = make_bench()

    def broken(_guild_id):
        raise StorageError("rollcall.db: disk I/O error")

    bench.ledger.on_load = broken
    bench.start().write(moved(1_000, 5))
    wait_until(lambda: not bench.ref.is_alive(), "the partition's end")
    assert bench.ledger.commits == []


def test_a_broken_snapshot_leaves_nothing_half_done(make_bench, trouble):
    """The batch's effects of a failing step are not among what is committed."""
    bench = make_bench()
    snapshot = GuildSnapshot(1_000, GUILD, "c", channels=(Channel(7, "general"),), name="Guild")
    bench.write(snapshot)
    expected = bench.expected()
    bench.write(moved(2_000, POISON))
    trouble(Poison())
    bench.start().settle()
    assert bench.ledger.rows == expected
