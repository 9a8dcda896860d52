"""The clock: pure, with sources of time that the tests move."""

import time

import pytest

from bot_adapter.clock import AnchoredClock, slew

MS = 1_000_000
SECOND = 1000 * MS
NOON = 1_700_000_000_000


class Sources:
    """A wall clock and a monotonic clock, in nanoseconds."""

    def __init__(self):
        self.wall = NOON * MS
        self.monotonic = 5 * SECOND

    def pass_time(self, ns):
        self.wall += ns
        self.monotonic += ns

    def clock(self, not_before=0):
        return AnchoredClock(not_before, wall=lambda: self.wall, monotonic=lambda: self.monotonic)


@pytest.fixture
def sources():
    return Sources()


def follow_for(clock, sources, seconds):
    for _ in range(seconds):
        sources.pass_time(SECOND)
        clock.follow()


def test_it_starts_at_the_wall_clock_and_runs_with_the_monotonic_one(sources):
    clock = sources.clock()
    assert clock.now() == NOON
    sources.pass_time(1500 * MS)
    assert clock.now() == NOON + 1500


@pytest.mark.parametrize("step_ms", [3_600_000, -3_600_000, 40, -40])
def test_a_step_of_the_wall_clock_does_not_disturb_a_duration(sources, step_ms):
    clock = sources.clock()
    begin = clock.now()
    sources.wall += step_ms * MS
    follow_for(clock, sources, 10)
    assert abs(clock.now() - begin - 10_000) <= 5


def test_it_never_runs_back_even_while_it_is_led_back(sources):
    clock = sources.clock()
    sources.wall -= 3600 * SECOND
    seen = []
    for _ in range(10):
        sources.pass_time(SECOND)
        seen.append(clock.now())
        clock.follow()  # half a millisecond back
        seen.append(clock.now())
    assert seen == sorted(seen)


def test_a_wall_clock_set_back_over_a_restart_cannot_stamp_earlier_than_the_journal(sources):
    clock = sources.clock(not_before=NOON + 60_000)
    assert clock.now() == NOON + 60_000
    assert clock.ahead_ms == 60_000
    sources.pass_time(SECOND)
    assert clock.now() == NOON + 61_000


def test_a_wall_clock_that_drifts_is_followed_without_a_jump(sources):
    clock = sources.clock()
    drift_ppm = 100
    for _ in range(1000):
        sources.pass_time(SECOND)
        sources.wall += SECOND * drift_ppm // 1_000_000
        before = clock.now()
        clock.follow()
        assert clock.now() - before <= 1
    assert abs(clock.now() * MS - sources.wall) <= MS


def test_a_large_offset_is_made_good_at_half_a_millisecond_a_second(sources):
    clock = sources.clock()
    sources.wall += 10 * SECOND
    follow_for(clock, sources, 1000)
    assert clock.now() == NOON + 1_000_000 + 500


@pytest.mark.parametrize(
    ("offset", "elapsed", "expected"),
    [(10, SECOND, 10), (-10, SECOND, -10), (SECOND, SECOND, 500_000), (-SECOND, SECOND, -500_000), (5, 0, 0)],
)
def test_slew_goes_to_the_target_within_its_limit(offset, elapsed, expected):
    assert slew(offset, elapsed) == expected


@pytest.mark.skipif(
    not hasattr(time, "CLOCK_BOOTTIME"), reason="no clock here goes on while a machine sleeps"
)
def test_while_the_machine_sleeps_the_clock_goes_on(monkeypatch):
    read, slept_ms = time.clock_gettime_ns, 3_600_000
    clock = AnchoredClock()
    before = clock.now()
    asleep = {time.CLOCK_BOOTTIME: slept_ms * MS}
    monkeypatch.setattr(time, "clock_gettime_ns", lambda it: read(it) + asleep.get(it, 0))
    assert clock.now() >= before + slept_ms
