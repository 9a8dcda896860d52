"""What counts as stuck, and what is only waiting. Minutes pass on a clock of the tests' own."""

import threading

import pytest

from engine.actors.pulse import STUCK_S, Pulse
from engine.domain import step as rules_table
from engine.domain.inputs import VoiceStateChanged
from engine.domain.voice import voice_state_changed
from engine.storage.protocols import StorageBusy

GUILD = 1 << 22
JOIN = VoiceStateChanged(1_000, GUILD, 5, 7)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(bench):
    """The clock that the bench's two threads beat by."""
    it = Clock()
    for stats in (bench.inside.stats, bench.inside.committer):
        stats.pulse._clock = it
    bench.inside.stats.pulse.beat()  # the last beat was by another clock
    return it


@pytest.fixture
def door():
    """What a thread waits for that hangs; open at the end."""
    it = threading.Event()
    yield it
    it.set()


def hang_in(door, reached):
    def hang(*_):
        reached.set()
        door.wait(30)

    return hang


def test_a_partition_whose_actor_never_answers_is_stuck(bench, clock, door, wait_until):
    reached = threading.Event()
    bench.ledger.on_load = hang_in(door, reached)
    bench.write(JOIN)
    assert reached.wait(15)
    assert bench.inside.stuck() == []
    clock.now += STUCK_S + 1
    assert bench.inside.stuck() == ["partition 0: no progress for 76 s"]
    door.set()
    wait_until(lambda: bench.inside.stuck() == [], "progress")


def test_a_commit_that_hangs_is_told_of_its_committer(bench, clock, door, wait_until):
    reached = threading.Event()
    bench.ledger.on_commit = hang_in(door, reached)
    bench.write(JOIN)
    assert reached.wait(15)
    clock.now += STUCK_S + 1
    # The partition waits for it, looks whether it lives, and is not stuck itself.
    wait_until(lambda: bench.inside.stuck() == ["committer 0: no progress for 76 s"], "the partition's turn")
    door.set()
    wait_until(lambda: bench.inside.stuck() == [], "progress")


def test_who_waits_for_a_busy_ledger_is_not_stuck(bench, clock, wait_until):
    tries = []

    def busy(_):
        tries.append(1)
        raise StorageBusy("database is locked")

    bench.ledger.on_commit = busy
    bench.write(JOIN)
    wait_until(lambda: tries, "a first try")
    clock.now += STUCK_S + 1
    wait_until(lambda: bench.inside.stuck() == [], "another look")
    bench.ledger.on_commit = lambda _: None
    bench.settle()


def test_who_waits_for_the_journal_or_has_nothing_to_do_is_not_stuck(bench, clock, wait_until):
    bench.write(JOIN)
    bench.settle()
    for away in (False, True):
        bench.journal.away = away
        clock.now += STUCK_S + 1
        wait_until(lambda: bench.inside.stuck() == [], "another look")


def test_a_recovery_of_many_rounds_is_not_stuck(bench, clock, monkeypatch):
    seen, poison = [], 666

    def slow(draft, change):
        seen.append(bench.inside.stuck())
        clock.now += STUCK_S / 3
        if change.user_id == poison:
            raise ValueError("poison")
        voice_state_changed(draft, change)

    monkeypatch.setattr(rules_table, "voice_state_changed", slow)
    bench.write(JOIN, VoiceStateChanged(2_000, GUILD, poison, 7), VoiceStateChanged(3_000, GUILD, 6, 7))
    bench.settle()
    assert len(seen) * STUCK_S / 3 > 2 * STUCK_S
    assert not any(seen)
    assert bench.inside.stats.dead_letters == 1


def test_long_work_beats_with_each_item():
    clock = Clock()
    pulse = Pulse(clock)
    pulse.beat()
    for _ in pulse.along(range(3)):
        clock.now += STUCK_S
        assert pulse.silent_s() == STUCK_S
    pulse.rest()
    assert pulse.silent_s() == 0.0
