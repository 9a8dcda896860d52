"""A quarantine can be lifted, after restarts too: the guild comes to what it would have come to."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.actors import event
from engine.actors.supervisor import Budget
from engine.domain.effects import Status
from engine.domain.event_inputs import StartEvent, StopEvent
from engine.domain.events import EventStatus
from engine.domain.inputs import (
    GuildsKnown,
    GuildSnapshot,
    Heartbeat,
    VoiceState,
)
from engine.domain.retrial_inputs import QuarantineLifted
from tests.actors.adversity import histories
from tests.actors.evening import EVENING, EVENT, RULES, created
from tests.actors.inputs import GUILD, beat, moved
from tests.actors.refusing import LIFT, NAME, quarantined, sessions
from tests.poison import POISON, ask_first


@pytest.mark.parametrize("batch", [1, 3, 20_000])
def test_a_lifted_guild_comes_to_what_it_would_have_come_to(make_strict, poison, answers, batch):
    bench = quarantined(make_strict, batch_max_entries=batch)
    assert sessions(bench) == [(5, 7, 1_000, None)]
    poison.clear()
    bench.write(QuarantineLifted(5_000_000, GUILD, NAME, LIFT), moved(5_000_100, 6, None))
    bench.settle()
    # The first of POISON's was a dead letter of its own, from before the quarantine.
    assert sessions(bench) == [
        (5, 7, 1_000, 9_000), (POISON, 7, 3_000, None), (5, 8, 9_000, 20_000), (6, 7, 9_500, 5_000_100),
    ]  # fmt: skip
    assert answers[LIFT].detail == {"retried": 4, "refused": 0}
    assert (bench.ledger.quarantined, bench.roster().quarantined) == ({}, {})
    assert list(bench.ledger.letters) == ["2-0"], "no letter of the quarantine"
    assert len(bench.ledger.retried) == 4, "kept, and marked"


def test_a_guild_that_was_lost_in_quarantine_is_lost_after_it(make_strict, poison):
    """The ledger took it for present all the while, and the other way round."""
    bench = make_strict()
    bench.write(GuildSnapshot(500, GUILD, "c"), moved(1_000, 5), moved(2_000, POISON), moved(3_000, POISON))
    known = [GuildsKnown(at, "c", 0, 1, guilds) for at, guilds in ((4_000, ()), (6_000, ()))]
    bench.write(known[0], GuildSnapshot(5_000, GUILD, "c", (VoiceState(6, 7),)), known[1])
    bench.start().settle()
    poison.clear()
    bench.write(QuarantineLifted(5_000_000, GUILD, NAME, LIFT))
    bench.settle()
    assert [it[0] for it in sessions(bench) if it[3] is None] == []
    rows = {it.session.user_id: (it.left_at, it.status) for it in bench.ledger.rows.sessions.values()}
    assert (rows[5], rows[6]) == ((4_000, Status.CANCELLED), (6_000, Status.CANCELLED))
    assert not bench.ledger.rows.guild(GUILD, 5_000_000).present


def test_a_lifted_guild_remembers_who_had_left_when_it_came_in(make_strict, poison):
    """A late entry takes effect where the last session ended, however long ago that is by now."""
    bench = make_strict()
    bench.write(moved(1_000, 5), moved(9_000, 5, None), moved(9_100, POISON), moved(9_200, POISON))
    bench.write(moved(8_000, 5), moved(20_000, 5, None), beat(4_000_000))
    bench.start().settle()
    poison.clear()
    bench.write(QuarantineLifted(5_000_000, GUILD, NAME, LIFT))
    bench.settle()
    assert [it for it in sessions(bench) if it[0] == 5] == [(5, 7, 1_000, 9_000), (5, 7, 9_000, 20_000)]


def test_a_poison_entry_that_is_still_poison_stays_a_letter_and_the_guild_goes_on(
    make_strict, poison, answers
):
    assert poison
    bench = quarantined(make_strict)
    bench.write(QuarantineLifted(5_000_000, GUILD, NAME, LIFT))
    bench.settle()
    assert answers[LIFT].detail == {"retried": 3, "refused": 1}
    assert list(bench.ledger.letters) == ["2-0", "3-0"]
    assert bench.ledger.quarantined == {}
    assert sessions(bench) == [(5, 7, 1_000, 9_000), (5, 8, 9_000, 20_000), (6, 7, 9_500, None)]


def test_a_quarantine_survives_the_process_and_so_does_its_lift(make_strict, poison, answers):
    first = quarantined(make_strict)
    first.stop()
    second = make_strict()
    second.ledger, second.journal, second.written = first.ledger, first.journal, first.written
    second.start().write(moved(21_000, 9))
    second.settle()
    assert list(second.roster().quarantined) == [NAME]
    assert second.ledger.letters["7-0"].reason.startswith("quarantined: ")
    poison.clear()
    second.write(QuarantineLifted(22_000, GUILD, NAME, LIFT))
    second.settle()
    second.stop()
    third = make_strict()
    third.ledger, third.journal, third.written = second.ledger, second.journal, second.written
    third.start().write(moved(30_000, 9, None))
    third.settle()
    assert third.roster().quarantined == {}
    assert (9, 7, 21_000, 30_000) in sessions(third)


def test_what_is_not_quarantined_cannot_be_lifted(make_strict, poison, answers):
    assert poison
    bench = make_strict()
    bench.write(QuarantineLifted(1_000, GUILD, NAME, LIFT))
    bench.start().settle()
    assert (answers[LIFT].code, answers[LIFT].message) == ("conflict", f"{NAME} is not quarantined")


def test_a_lifted_event_takes_its_requests_and_reads_what_it_missed(make_strict, monkeypatch, answers):
    """What its guild did meanwhile is in the ledger: the event is scored from there, and stopped in time."""
    bench = make_strict(rules=RULES)
    bench.write(
        beat(1_000), EVENING[1], created(2_000), StartEvent(3_000, GUILD, EVENT, "start"), moved(4_000, 5)
    )
    bench.start().settle()
    real, broken = event.plan, [True]

    def plan(*given):
        if broken:
            raise RuntimeError("no plan")
        return real(*given)

    monkeypatch.setattr(event, "plan", plan)
    bench.write(moved(5_000, 6), moved(6_000, 7), moved(9_000, 5, None))
    bench.write(StopEvent(20_000, GUILD, EVENT, "stop"), moved(30_000, 6, None), beat(40_000))
    bench.settle()
    name = f"event:{EVENT}"
    assert list(bench.ledger.quarantined) == [name]
    assert bench.ledger.rows.events[EVENT].status is EventStatus.ACTIVE
    broken.clear()
    bench.write(QuarantineLifted(50_000, GUILD, name, LIFT), beat(60_000), beat(61_000))
    bench.settle()
    assert answers[LIFT].detail == {"retried": 1, "refused": 0}
    ended = bench.ledger.rows.events[EVENT]
    assert (ended.status, ended.ended_at, ended.settled) == (EventStatus.ENDED, 20_000, True)
    rows = {user_id: row.counted_ms for (_, user_id), row in bench.ledger.rows.participants.items()}
    assert rows == {1: 17_000, 5: 5_000, 6: 15_000, 7: 14_000}


def test_many_quarantines_at_once_end_the_process_and_the_last_one_is_not_kept(
    make_strict, poison, wait_until
):
    assert poison
    bench = make_strict()
    for n in range(1, 9):
        bench.write(moved(n * 100, POISON, guild_id=n << 22), moved(n * 100 + 1, POISON, guild_id=n << 22))
    bench.start()
    wait_until(lambda: not bench.ref.is_alive(), "the partition's end")
    assert "TooManyQuarantines: 6 quarantines within 300 s" in bench.inside.stats.death
    wait_until(lambda: len(bench.ledger.quarantined) == 5, "what was committed before")
    again = make_strict()
    again.ledger, again.journal = bench.ledger, bench.journal
    again.start()
    wait_until(lambda: not again.ref.is_alive(), "the next one's end")
    assert len(again.ledger.quarantined) == 5, "the next life has no five of its own"


def test_what_fails_in_every_guild_of_one_batch_ends_the_process_and_becomes_no_dead_letters(
    make_strict, poison, wait_until
):
    assert poison
    bench = make_strict(batch_max_entries=20_000)
    for n in range(1, 9):
        bench.write(moved(n * 100, POISON, guild_id=n << 22), moved(n * 100 + 1, POISON, guild_id=n << 22))
    bench.start()
    wait_until(lambda: not bench.ref.is_alive(), "the partition's end")
    assert "TooManyQuarantines: 6 quarantines within 300 s" in bench.inside.stats.death
    assert (bench.ledger.cursor, bench.ledger.letters) == ("0-0", {})


@pytest.fixture
def lifted(make_bench, monkeypatch):
    """``lifted(inputs, place)``: a bench in which one guild fails from there on, until it is lifted."""

    def one(inputs, place):
        bench = make_bench(batch_max_entries=1, budget=Budget(0, 30_000))
        bench.write(*inputs[:place])
        bench.start().settle()
        with monkeypatch.context() as patch:
            ask_first(patch, lambda change: fails(change.guild_id))
            bench.write(*inputs[place:])
            bench.settle()
        if bench.ledger.quarantined:
            bench.write(QuarantineLifted(inputs[-1].at, GUILD, NAME, LIFT))
            bench.settle()
        bench.close()
        return bench

    def fails(guild_id):
        if guild_id == GUILD:
            raise RuntimeError("nothing of this guild can be taken")

    return one


@settings(
    max_examples=40,
    deadline=None,
    # ``lifted`` makes a bench of its own for each example.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(inputs=histories(), place=st.integers(0, 20))
def test_after_a_lift_the_rows_are_those_of_a_guild_that_never_failed(lifted, inputs, place):
    """The connections' own story ends where the quarantine begins: of it, only its latest state is kept."""
    told = inputs[:place] + [it for it in inputs[place:] if not isinstance(it, Heartbeat)]
    bench = lifted(told or inputs, place)
    assert bench.ledger.rows == bench.expected()
    assert bench.ledger.letters == {}
