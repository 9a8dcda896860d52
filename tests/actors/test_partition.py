"""A partition over a journal that is away, restored or damaged, and guilds that are parked meanwhile."""

import pytest

from engine.domain.inputs import Heartbeat, ShardBeat
from engine.domain.rules import MEMORY_MS
from engine.storage.protocols import StorageBusy
from tests.actors.inputs import GUILD, OTHER, moved


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


def test_a_journal_that_came_past_the_cursor_while_nobody_read_it_is_told_by_the_entry_taken_last(make_bench):
    """Emptied, and its clock set back: some of what came since has ids before the cursor, some at it."""
    bench = make_bench()
    bench.write(moved(1_000, 5), moved(2_000, 6), moved(3_000, 7))
    bench.start().settle()
    bench.stop()
    bench.journal.replace([], 0)
    bench.write(moved(4_000, 5, None), moved(5_000, 6, None), moved(6_000, 7, None), moved(7_000, 8))
    bench.start().settle()
    assert bench.inside.stats.rewinds == 1
    assert bench.ledger.rows == bench.expected()


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
