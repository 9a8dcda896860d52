"""Deadlines: whatever was set last comes, when it comes, once."""

from hypothesis import given
from hypothesis import strategies as st

from engine.actors.deadlines import Deadlines


def test_what_is_due_comes_in_order_and_once():
    deadlines = Deadlines()
    for key, at in ((1, 30), (2, 10), (3, 20)):
        deadlines.set(key, at)
    assert deadlines.due(9) == []
    assert deadlines.due(20) == [2, 3]
    assert deadlines.due(20) == []
    assert deadlines.in_order() == [(30, 1)]


def test_a_deadline_that_moves_comes_at_its_last_time():
    deadlines = Deadlines()
    deadlines.set(1, 10)
    deadlines.set(1, 30)
    assert deadlines.due(20) == []
    deadlines.set(1, 15)
    assert deadlines.due(20) == [1]


def test_one_that_was_cancelled_and_set_again_to_the_same_time_comes_once():
    deadlines = Deadlines()
    deadlines.set(1, 10)
    deadlines.set(1, None)
    deadlines.set(1, 10)
    assert deadlines.due(10) == [1]
    assert deadlines.due(10) == []


def test_what_moves_again_and_again_leaves_no_heap_behind():
    deadlines = Deadlines()
    for at in range(100_000):
        deadlines.set(at % 10, at)
    assert len(deadlines) == 10
    assert len(deadlines._heap) <= 65


@given(st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 50), st.integers(0, 60))))
def test_it_does_what_a_plain_dictionary_would(steps):
    deadlines, plain = Deadlines(), {}
    for key, at, now in steps:
        deadlines.set(key, at)
        plain = {it: value for it, value in (plain | {key: at}).items() if value is not None}
        due = sorted((value, it) for it, value in plain.items() if value <= now)
        assert deadlines.due(now) == [it for _, it in due]
        plain = {it: value for it, value in plain.items() if value > now}
        assert deadlines.in_order() == sorted((value, it) for it, value in plain.items())
