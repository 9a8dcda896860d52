"""The engine's clock goes with the ingest's, whatever becomes of the wall clock."""

import pytest

from engine.daemon.clock import NS_PER_MS, WORD_MS, JournalClock

START = 1_790_000_000_000
HOUR_MS = 3_600_000


class Times:
    """The machine's clocks, in ms."""

    def __init__(self):
        self.wall, self.monotonic = START, 5_000

    def pass_by(self, ms):
        self.wall += ms
        self.monotonic += ms


@pytest.fixture
def times():
    return Times()


@pytest.fixture
def clock(times):
    return JournalClock(lambda: times.wall * NS_PER_MS, lambda: times.monotonic * NS_PER_MS)


def test_without_an_ingest_it_is_the_wall_clock(clock, times):
    times.pass_by(70)
    assert clock.now() == START + 70


@pytest.mark.parametrize("moved_ms", [HOUR_MS, -HOUR_MS])
def test_nor_does_one_that_is_moved_before_the_ingest_was_heard_of(clock, times, moved_ms):
    times.wall += moved_ms
    times.pass_by(70)
    assert clock.now() == START + 70
    clock.hear(START - 500, 0)
    assert clock.now() == START + 70


def test_it_stands_where_the_ingests_clock_stands(clock, times):
    clock.hear(START - HOUR_MS - 800, -HOUR_MS)  # the word is 0.8 s old
    times.pass_by(250)
    assert clock.now() == START - HOUR_MS + 250


@pytest.mark.parametrize("moved_ms", [HOUR_MS, -HOUR_MS, 24 * HOUR_MS, -24 * HOUR_MS])
def test_a_wall_clock_that_is_moved_does_not_move_it(clock, times, moved_ms):
    clock.hear(START - 500, 0)
    times.pass_by(1000)
    times.wall += moved_ms
    clock.hear(START + 500, 0)  # said before the move, heard after it
    assert clock.now() == START + 1000
    times.pass_by(1000)
    clock.hear(START + 1500, -moved_ms)
    assert clock.now() == START + 2000


def test_what_was_said_before_a_move_is_better_than_the_wall_clock(clock, times):
    times.wall += HOUR_MS
    clock.hear(START - 500, 0)
    assert START - WORD_MS < clock.now() <= START


def test_while_the_ingest_is_away_it_goes_on(clock, times):
    clock.hear(START - HOUR_MS, -HOUR_MS)
    times.pass_by(10 * HOUR_MS)
    assert clock.now() == START + 9 * HOUR_MS
