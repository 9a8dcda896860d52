"""Events beside the guilds: the same rows however batches fall and whatever fails, answers once committed."""

import pytest
from msgspec.structs import replace

from engine.actors import event as event_actor
from engine.actors.desk import Desk
from engine.commands import NotCommitted
from engine.domain import event_step
from engine.domain.event_inputs import (
    CancelEvent,
    ChangeEvent,
    CreateEvent,
    EventFields,
    RescoreEvent,
    ScheduledEvent,
    ScheduledEventChanged,
    ScheduledStatus,
    StartEvent,
    StopEvent,
)
from engine.domain.event_step import Facts
from engine.domain.events import EventStatus
from engine.domain.inputs import (
    Channel,
    ChannelDeleted,
    GuildChanged,
    GuildLost,
    GuildSnapshot,
    Heartbeat,
    ShardBeat,
    VoiceFlags,
    VoiceState,
    VoiceStateChanged,
)
from engine.domain.rules import EventRules, Rules

GUILD, ROOM, ELSEWHERE, EVENT = 1 << 22, 7, 8, 900
RULES = Rules(events=EventRules(min_duration_ms=5_000, distributor="csv"))


def beat(at, *, alive_at=None):
    return Heartbeat(at, (ShardBeat(0, "shard/1", True, at if alive_at is None else alive_at),))


def moved(at, user_id, channel_id=ROOM, flags=0):
    return VoiceStateChanged(at, GUILD, user_id, channel_id, int(flags))


def created(at, *, event_id=EVENT, **fields):
    fields = EventFields(**{"name": "Evening", "channel_ids": (ROOM,)} | fields)
    return CreateEvent(at, GUILD, event_id, fields, request_id=f"create-{event_id}")


# Somebody early, somebody shortly, somebody deaf for a while, somebody back again, a change while it runs.
EVENING = (
    beat(1_000),
    GuildSnapshot(1_000, GUILD, "shard/1", (VoiceState(1, ROOM), VoiceState(2, ELSEWHERE)), (Channel(ROOM),)),
    created(2_000),
    moved(3_000, 3),
    StartEvent(10_000, GUILD, EVENT, "start"),
    moved(12_000, 4),
    moved(12_500, 4, None),
    moved(13_000, 3, flags=VoiceFlags.SELF_DEAF),
    moved(14_000, 2),
    moved(16_000, 3),
    moved(17_000, 2, None),
    ChangeEvent(18_000, GUILD, EVENT, EventFields(channel_ids=(ROOM, ELSEWHERE)), "change"),
    moved(19_000, 2, ELSEWHERE),
    beat(20_000),
    StopEvent(25_000, GUILD, EVENT, "stop"),
    moved(26_000, 1, None),
    beat(25_500),
    beat(27_000),
    moved(28_000, 3, None),
)


def rows_of(bench):
    return bench.ledger.rows


@pytest.fixture
def evening(make_bench):
    """The rows of the evening, taken entry by entry."""
    bench = make_bench(rules=RULES, batch_max_entries=1)
    bench.write(*EVENING)
    bench.start().settle()
    return rows_of(bench)


def test_the_evening_is_what_was_meant(evening):
    event = evening.events[EVENT]
    assert (event.status, event.started_at, event.ended_at) == (EventStatus.ENDED, 10_000, 25_000)
    assert event.settled
    counted = {user_id: row.counted_ms for (_, user_id), row in evening.participants.items()}
    assert counted == {1: 15_000, 2: 3_000 + 4_000 + 6_000, 3: 12_000, 4: 0}


@pytest.mark.parametrize("batch_max_entries", [2, 3, 5, 50])
@pytest.mark.parametrize("workers", [1, 3])
def test_rows_do_not_depend_on_how_batches_fall(make_bench, evening, batch_max_entries, workers):
    bench = make_bench(rules=RULES, batch_max_entries=batch_max_entries, workers=workers)
    bench.write(*EVENING)
    bench.start().settle()
    assert rows_of(bench) == evening


@pytest.mark.parametrize("taken", range(1, len(EVENING)))
def test_an_engine_that_begins_anew_anywhere_writes_the_same_rows(make_bench, evening, taken):
    bench = make_bench(rules=RULES)
    bench.write(*EVENING[:taken])
    bench.start().settle()
    bench.stop()
    bench.write(*EVENING[taken:])
    bench.start().settle()
    assert rows_of(bench) == evening


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


def test_deadlines_take_effect_at_their_own_time_however_late_time_passes(make_bench):
    bench = make_bench(rules=RULES)
    bench.write(EVENING[0], EVENING[1], created(2_000, starts_at=10_000, ends_at=20_000))
    bench.start().settle()
    assert rows_of(bench).events[EVENT].status is EventStatus.SCHEDULED
    bench.write(moved(5_000, 1, None), moved(9_000, 2), beat(60_000))
    bench.settle()
    event = rows_of(bench).events[EVENT]
    assert (event.started_at, event.ended_at, event.settled) == (10_000, 20_000, True)
    assert {user_id: row.counted_ms for (_, user_id), row in rows_of(bench).participants.items()} == {
        2: 10_000
    }


def test_start_and_stop_write_all_participants_in_one_transaction(make_bench):
    present = tuple(VoiceState(user_id, ROOM) for user_id in range(1, 2_001))
    bench = make_bench(rules=RULES, batch_max_entries=1)
    snapshot = GuildSnapshot(1_000, GUILD, "shard/1", present)
    bench.write(beat(1_000), snapshot, created(2_000), StartEvent(3_000, GUILD, EVENT))
    bench.write(StopEvent(9_000, GUILD, EVENT))
    bench.start().settle()
    written = [
        [len(it.rows) for it in commit.effects if type(it).__name__ == "SaveParticipants"]
        for commit in bench.ledger.commits
    ]
    assert [counts for counts in written if counts] == [[2_000], [2_000]]


def test_badges_wait_until_the_gateway_was_watched_beyond_the_end(make_bench):
    bench = make_bench(rules=RULES)
    woken = []
    bench.aftermath.badges_awarded = lambda: woken.append(1)
    bench.write(*EVENING[:15])
    bench.write(beat(40_000, alive_at=24_000))  # lost before the end: who knows who left then
    bench.start().settle()
    assert not rows_of(bench).events[EVENT].settled
    assert not rows_of(bench).badges
    assert not woken
    bench.write(GuildSnapshot(41_000, GUILD, "shard/2", (VoiceState(3, ROOM),)))
    bench.write(Heartbeat(42_000, (ShardBeat(0, "shard/2", True, 42_000),)))
    bench.settle()
    assert rows_of(bench).events[EVENT].settled
    # The first one's leave lies in the gap: certain is only the time before it.
    counted = {user_id: row.counted_ms for (_, user_id), row in rows_of(bench).participants.items()}
    assert counted[1] == 14_000
    assert woken


def test_an_actor_is_there_while_its_event_is_open_and_no_longer(make_bench):
    bench = make_bench(rules=RULES)
    bench.write(*EVENING[:10])
    bench.start().settle()
    assert EVENT in bench.inside.events.children
    assert [it.event_id for it in bench.inside.events.open()] == [EVENT]
    bench.write(*EVENING[10:])
    bench.settle()
    assert EVENT not in bench.inside.events.children
    assert bench.inside.events.open() == []


def test_a_discord_event_ends_with_its_channel_even_before_it_started(make_bench):
    bench = make_bench(rules=RULES)
    told = ScheduledEvent(EVENT, ROOM, "Talk", ScheduledStatus.SCHEDULED, 90_000)
    bench.write(*EVENING[:2], ScheduledEventChanged(2_000, GUILD, told))
    bench.start().settle()
    assert rows_of(bench).events[EVENT].status is EventStatus.SCHEDULED
    bench.write(ChannelDeleted(3_000, GUILD, ROOM))
    bench.settle()
    assert rows_of(bench).events[EVENT].status is EventStatus.CANCELLED


def test_an_event_that_has_not_started_learns_of_another_afk_channel(make_bench):
    bench = make_bench(rules=RULES)
    bench.write(*EVENING[:4], GuildChanged(4_000, GUILD, "Guild", ROOM), *EVENING[4:])
    bench.start().settle()
    assert rows_of(bench).events[EVENT].afk_channel_id == ROOM
    assert rows_of(bench).participants[EVENT, 3].tally[3] > 0, "nothing was left out as AFK"


def test_events_end_when_the_bot_is_in_their_guild_no_more(make_bench):
    bench = make_bench(rules=RULES)
    told = ScheduledEvent(901, ROOM, "Talk", ScheduledStatus.SCHEDULED, 90_000)
    bench.write(*EVENING[:6], ScheduledEventChanged(12_000, GUILD, told), created(12_000, event_id=902))
    bench.write(GuildLost(20_000, GUILD))
    bench.start().settle()
    events = rows_of(bench).events
    assert (events[EVENT].status, events[EVENT].ended_at) == (EventStatus.ENDED, 20_000)
    assert events[901].status is EventStatus.CANCELLED
    assert events[902].status is EventStatus.SCHEDULED
    bench.write(beat(21_000))
    bench.settle()
    assert rows_of(bench).events[EVENT].settled


class TestAnswers:
    @pytest.fixture
    def desk(self, make_bench):
        bench = make_bench(rules=RULES).start()
        bench.write(*EVENING[:2])
        bench.settle()

        class Appender:
            def append(self, *inputs):
                bench.write(*inputs)

        return bench, Desk(Appender(), bench.aftermath.answers, wait_s=15.0)

    def test_a_request_is_answered_once_its_outcome_is_committed(self, desk):
        bench, asked = desk
        answer = asked.carry_out(created(2_000))
        assert (answer.code, answer.request_id) == ("ok", f"create-{EVENT}")
        assert rows_of(bench).events[EVENT].name == "Evening"

    def test_a_request_that_is_refused_says_why(self, desk):
        _, asked = desk
        assert asked.carry_out(StartEvent(2_000, GUILD, 1, "a")).code == "not_found"
        asked.carry_out(created(2_000))
        assert asked.carry_out(StopEvent(3_000, GUILD, EVENT, "b")).code == "conflict"
        wrong = asked.carry_out(ChangeEvent(3_000, GUILD, EVENT, EventFields(channel_ids=()), "c"))
        assert (wrong.code, wrong.field) == ("invalid", "voiceChannelIds")
        assert asked.carry_out(CancelEvent(3_000, GUILD, EVENT, "d")).code == "ok"

    def test_a_new_score_tells_the_difference(self, desk):
        bench, asked = desk
        bench.write(*EVENING[2:])
        bench.settle()
        told = asked.carry_out(ChangeEvent(30_000, GUILD, EVENT, EventFields(channel_ids=(ROOM,)), "x"))
        assert told.detail["lost_ms"] == 4_000 + 6_000
        assert told.detail["no_longer_eligible"] == 1

    def test_without_a_commit_in_time_the_request_may_still_take_effect(self, desk):
        bench, asked = desk
        bench.stop()
        asked._wait_s = 0.01
        with pytest.raises(NotCommitted, match="may still take effect"):
            asked.carry_out(created(2_000))

    def test_ids_are_snowflakes_of_now_and_never_twice(self, desk):
        _, asked = desk
        ids = [asked.new_id() for _ in range(5_000)]
        assert ids == sorted(set(ids))
        assert max(ids) < 2**63


class TestDrift:
    def test_a_running_event_and_the_rows_agree_at_its_end(self, make_bench, wait_until):
        bench = make_bench(rules=RULES)
        bench.write(*EVENING)
        bench.start().settle()
        drift = bench.aftermath.drift
        wait_until(lambda: drift.checks, "the check")
        assert (drift.drift_ms, drift.failures) == (0, 0)

    def test_a_difference_is_found(self, make_bench, wait_until):
        bench = make_bench(rules=RULES, batch_max_entries=1)
        bench.write(*EVENING)

        def tamper(commit):
            for key, row in rows_of(bench).participants.items():
                if commit.state.now == 25_000 and key[1] == 1:
                    rows_of(bench).participants[key] = replace(row, tally=(row.tally[0] + 7, *row.tally[1:]))

        bench.ledger.on_committed = tamper
        bench.start().settle()
        wait_until(lambda: bench.aftermath.drift.drift_ms, "a difference")

    def test_a_check_that_fails_is_counted_and_ends_nothing(self, make_bench, wait_until, monkeypatch):
        bench = make_bench(rules=RULES)
        monkeypatch.setattr(bench.ledger, "audit", lambda _: dict)
        bench.write(*EVENING)
        bench.start().settle()
        wait_until(lambda: bench.aftermath.drift.failures, "a failure")
        assert bench.inside.stats.death == ""
