"""An event's actor that fails costs no other its rows, and its own are made good."""

import pytest

from engine.actors import event as event_actor
from engine.domain import event_step
from engine.domain.event_inputs import RescoreEvent
from engine.domain.event_step import Facts
from engine.domain.inputs import GuildChanged
from tests.actors.evening import EVENING, EVENT, RULES, created, rows_of
from tests.actors.inputs import GUILD, ROOM, beat, moved
from tests.poison import ask_first


@pytest.fixture
def failing(monkeypatch):
    """``failing(numbers)``: the event's step raises at the calls with these numbers."""

    def install(*numbers):
        calls = iter(range(1, 10_000))

        def carry_out(*arguments):
            if next(calls) in numbers:
                raise RuntimeError("an event fails")
            return event_step.carry_out(*arguments)

        monkeypatch.setattr(event_actor, "carry_out", carry_out)

    return install


@pytest.mark.parametrize("number", range(1, 8))
@pytest.mark.parametrize("batch_max_entries", [4, 50])
def test_an_event_that_fails_once_is_restarted_and_its_rows_are_the_same(
    make_bench, evening, failing, number, batch_max_entries
):
    failing(number)
    bench = make_bench(rules=RULES, batch_max_entries=batch_max_entries)
    bench.write(*EVENING)
    bench.start().settle()
    assert rows_of(bench) == evening
    assert bench.ledger.letters == {}


def test_a_request_that_no_fresh_actor_takes_is_a_dead_letter_and_its_guild_goes_on(
    make_bench, monkeypatch, evening
):
    def carry_out(state, planned, read, share, rules):
        if any(isinstance(what, RescoreEvent) for what, _ in share):
            raise RuntimeError("poison")
        return event_step.carry_out(state, planned, read, share, rules)

    monkeypatch.setattr(event_actor, "carry_out", carry_out)
    bench = make_bench(rules=RULES)
    bench.write(*EVENING[:8], RescoreEvent(13_500, GUILD, EVENT, "poison"), *EVENING[8:])
    bench.start().settle()
    (letter,) = bench.ledger.letters.values()
    assert (letter.journal_id, letter.guild_id, letter.reason) == ("9-0", GUILD, "RuntimeError: poison")
    assert rows_of(bench) == evening


def test_facts_that_an_event_cannot_take_cost_no_session_and_the_next_score_mends_it(
    make_bench, monkeypatch, evening
):
    def carry_out(state, planned, read, share, rules):
        if any(isinstance(what, Facts) and now == 16_000 for what, now in share):
            raise RuntimeError("these facts")
        return event_step.carry_out(state, planned, read, share, rules)

    monkeypatch.setattr(event_actor, "carry_out", carry_out)
    bench = make_bench(rules=RULES, batch_max_entries=1)
    bench.write(*EVENING)
    bench.start().settle()
    assert rows_of(bench) == evening  # the change at 18,000 reads all again
    assert bench.ledger.letters == {}


def test_a_guild_that_fails_gives_its_events_what_it_did_once(make_bench, monkeypatch):
    """The failure's empty account came first, and with it the batch's time: the event's end, too early."""
    told = (
        *EVENING[:2],
        created(2_000, starts_at=10_000, ends_at=20_000),
        beat(11_000),
        GuildChanged(15_000, GUILD, "Guild", ROOM),
        moved(16_000, 3),
        beat(30_000),
    )
    steady, bench = make_bench(rules=RULES), make_bench(rules=RULES)
    steady.write(*told)
    steady.start().settle()
    failures = iter(["once"])

    def raises(change):
        if next(failures, None):
            raise RuntimeError("the guild fails")

    ask_first(monkeypatch, raises)
    bench.write(*told)
    bench.start().settle()
    assert next(failures, None) is None
    assert rows_of(bench).events[EVENT].afk_channel_id == ROOM
    assert rows_of(bench) == rows_of(steady)
