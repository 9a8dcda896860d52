"""Random histories with events: attendance is exactly what the oracle says, whatever is changed when."""

from hypothesis import given, settings

from tests.domain.event_comparison import RULES, Comparison
from tests.domain.event_histories import cuts, gap_histories, seen_histories, soup, world_of
from tests.domain.event_replay import EventReplay
from tests.domain.replay import batches
from tests.domain.witnesses import Ledgered, Told

MANY = settings(max_examples=100, deadline=None, report_multiple_bugs=False)


@MANY
@given(seen_histories)
def test_what_was_seen_is_scored_exactly_as_the_oracle_says(history):
    world = world_of(history, crowded=False)
    world.settle()
    Comparison(Told(RULES)).play(world.journal)


@MANY
@given(gap_histories)
def test_whatever_the_ledger_holds_is_scored_exactly_as_the_oracle_says(history):
    world = world_of(history)
    world.settle()
    Comparison(Ledgered()).play(world.journal)


@MANY
@given(soup)
def test_whatever_is_sent_is_scored_exactly_as_the_oracle_says(journal):
    Comparison(Ledgered(), settles=False).play(journal)


@MANY
@given(gap_histories | seen_histories, cuts)
def test_neither_batches_nor_crashes_change_a_row(history, sizes):
    world = world_of(history)
    world.settle()
    steady, cut, crashing = (EventReplay(RULES) for _ in range(3))
    for entry in world.journal:
        steady.take([entry])
    for batch in batches(world.journal, sizes):
        cut.take(batch)
        crashing.crash()
        crashing.take(batch)
    assert cut.outcome() == steady.outcome()
    assert crashing.outcome() == steady.outcome()
