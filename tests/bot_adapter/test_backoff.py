"""The delays between tries."""

from itertools import pairwise

from bot_adapter.backoff import Backoff


def delays(backoff, count):
    return [backoff.next_delay_s() for _ in range(count)]


def test_the_first_try_is_at_once_and_the_next_ones_wait_twice_as_long_each():
    assert delays(Backoff(1, 10, random_share=lambda: 0.0), 7) == [0, 1, 2, 4, 8, 10, 10]


def test_the_random_part_shortens_a_delay_by_at_most_a_half():
    assert delays(Backoff(1, 10, random_share=lambda: 1.0), 4) == [0, 0.5, 1, 2]


def test_a_reset_starts_again():
    backoff = Backoff(1, 10, random_share=lambda: 0.0)
    delays(backoff, 5)
    backoff.reset()
    assert delays(backoff, 2) == [0, 1]


def test_it_holds_its_limit_after_any_number_of_tries():
    seen = delays(Backoff(1, 120, random_share=lambda: 0.0), 5000)
    assert seen[-1] == 120
    assert all(a <= b for a, b in pairwise(seen))
