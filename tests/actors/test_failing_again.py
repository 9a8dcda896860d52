"""Failures count at their own time, and what is taken again and fails again changes nothing else."""

import pytest

from engine.actors.supervisor import Budget
from engine.domain.inputs import GuildSnapshot, VoiceState
from engine.domain.retrial_inputs import LettersRetried, QuarantineLifted
from engine.domain.rules import Rules, TrackingRules
from engine.domain.tracker_inputs import ScopeCommitted, SubjectMark
from engine.domain.tracking import SubjectKind
from tests.actors.inputs import GUILD, ROOM, beat, moved
from tests.actors.refusing import LIFT, NAME, sessions
from tests.poison import POISON, ask_first

PLAYER = 99
MINUTE_MS = 60_000
ALL = 20_000


@pytest.mark.parametrize("batch", [1, ALL])
def test_failures_far_apart_quarantine_nobody_though_a_batch_that_catches_up_holds_them_all(
    make_strict, poison, batch
):
    assert poison
    bench = make_strict(budget=Budget(), batch_max_entries=batch)
    moments = [1_000 + n * 10 * MINUTE_MS for n in range(36)]
    bench.write(*(moved(at, POISON, guild_id=(n % 6 + 1) << 22) for n, at in enumerate(moments)))
    bench.start().settle()
    assert (len(bench.ledger.letters), bench.ledger.quarantined) == (36, {})


@pytest.mark.parametrize("batch", [1, ALL])
def test_failures_close_together_quarantine_their_guild_at_the_same_entry_wherever_batches_end(
    make_strict, poison, batch
):
    assert poison
    bench = make_strict(budget=Budget(), batch_max_entries=batch)
    bench.write(*(moved(1_000 * n, POISON, 6 + n) for n in range(1, 10)))
    bench.start().settle()
    (quarantine,) = bench.ledger.quarantined.values()
    assert quarantine.journal_id == "6-0"


def test_letters_that_are_retried_and_fail_again_quarantine_nobody(make_strict, monkeypatch, answers):
    """The guild has gone on since: lifting a quarantine would take them without what followed."""
    bad = set(range(7, 15))
    ask_first(monkeypatch, lambda change: fail_in(bad, change.channel_id))
    bench = make_strict(budget=Budget(), batch_max_entries=ALL).start()
    for n in range(8):
        bench.write(moved((n + 1) * MINUTE_MS, 5, 7 + n))
        bench.settle()
    bench.write(moved(10 * MINUTE_MS, 5, 50))
    bench.settle()
    before = sessions(bench)
    bench.write(LettersRetried(20 * MINUTE_MS, GUILD, NAME, tuple(bench.ledger.letters), "retry"))
    bench.settle()
    assert answers["retry"].detail == {"retried": 0, "refused": 8}
    assert (bench.ledger.quarantined, sessions(bench)) == ({}, before)
    bench.write(moved(21 * MINUTE_MS, 5, 7))
    bench.settle()
    assert len(bench.ledger.letters) == 9, "the next failure counts again, as the first"


def test_a_letter_that_fails_again_is_still_taken_at_its_own_time(make_strict, poison, answers):
    bench = make_strict(budget=Budget())
    bench.write(moved(1_000_000, POISON), moved(5_000_000, 5))
    bench.start().settle()
    for at in (6_000_000, 7_000_000):
        bench.write(LettersRetried(at, GUILD, NAME, ("1-0",), f"retry {at}"))
        bench.settle()
        poison.clear()
    assert [it.detail["retried"] for it in answers.values()] == [0, 1]
    assert sessions(bench)[0] == (POISON, ROOM, 1_000_000, None)


def test_a_guild_that_is_lifted_too_early_and_again_has_the_sessions_of_its_quarantine(
    make_strict, poison, answers
):
    bench = make_strict(budget=Budget(), batch_max_entries=ALL)
    bench.write(*(moved(1_000 + n, POISON, 7 + n) for n in range(12)))
    bench.start().settle()
    bench.write(moved(100_000, 5), moved(3_700_000, 5, None), moved(5_000_000, 6), beat(9_000_000))
    bench.settle()
    for at, name in ((10_000_000, "early"), (20_000_000, LIFT)):
        bench.write(QuarantineLifted(at, GUILD, NAME, name))
        bench.settle()
        assert bool(bench.ledger.quarantined) == (name == "early")
        poison.clear()
    ours = [it for it in sessions(bench) if it[0] != POISON]
    assert ours == [(5, ROOM, 100_000, 3_700_000), (6, ROOM, 5_000_000, None)]


def test_what_follows_a_letter_and_fails_too_leaves_no_letter_of_its_own(make_strict, poison, answers):
    assert poison
    bench = make_strict(budget=Budget())
    bench.write(moved(1_000_000, POISON), moved(1_060_000, POISON, 8))
    bench.start().settle()
    bench.write(LettersRetried(6_000_000, GUILD, NAME, ("1-0",), "retry"))
    bench.settle()
    assert answers["retry"].detail == {"retried": 0, "refused": 1}
    assert list(bench.ledger.letters) == ["1-0", "2-0"]


def test_a_deadline_that_is_set_in_a_batch_with_poison_passes_all_the_same(make_strict, poison):
    assert poison
    rules = Rules(tracking=TrackingRules(trackers=("t",), on_expiry="disconnect"))
    bench = make_strict(budget=Budget(), batch_max_entries=ALL, rules=rules)
    there = (VoiceState(PLAYER, ROOM, bot=True), VoiceState(5, ROOM))
    bench.write(beat(500), GuildSnapshot(1_000, GUILD, "shard/1", there, own_user_id=PLAYER))
    bench.start().settle()
    bench.stop()
    mark = SubjectMark(GUILD, SubjectKind.PLAYER, GUILD, inactive=True, timeout_ms=10_000)
    bench.write(ScopeCommitted(2_000, "t", (mark,)), moved(2_100, POISON), moved(2_200, 6))
    bench.start().settle()
    bench.write(*(beat(at) for at in range(3_000, 60_000, 1_000)))
    bench.settle()
    assert [type(it).__name__ for it in bench.ledger.rows.outbox.values()] == ["DisconnectPlayer"]


def fail_in(channels, channel_id):
    if channel_id in channels:
        raise RuntimeError("poison")
