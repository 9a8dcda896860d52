"""Events beside the guilds: the same rows however batches fall, written when they are due and not before."""

import pytest
from msgspec.structs import replace

from engine.domain.event_inputs import (
    ScheduledEvent,
    ScheduledEventChanged,
    ScheduledStatus,
    StartEvent,
    StopEvent,
)
from engine.domain.events import EventStatus
from engine.domain.inputs import (
    ChannelDeleted,
    GuildChanged,
    GuildLost,
    GuildSnapshot,
    Heartbeat,
    ShardBeat,
    VoiceFlags,
    VoiceState,
)
from engine.domain.tracker_inputs import ScopeCommitted, SubjectMark
from engine.domain.tracking import SubjectKind
from tests.actors.evening import EVENING, EVENT, RULES, created, rows_of
from tests.actors.inputs import GUILD, ROOM, beat, moved


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


def test_an_event_whose_book_is_closed_follows_nothing_however_often_it_is_asked_of(make_bench):
    """Asked for something, its actor came back, and took what followed for all that had happened."""
    bench = make_bench(rules=RULES)
    bench.write(
        *EVENING[:5],
        moved(13_000, 3, flags=VoiceFlags.SELF_DEAF),
        StopEvent(25_000, GUILD, EVENT, "stop"),
        beat(27_000),
    )
    bench.start().settle()
    rows = dict(rows_of(bench).participants)
    assert rows_of(bench).events[EVENT].settled
    bench.write(StartEvent(28_000, GUILD, EVENT, "again"), moved(29_000, 3), beat(29_500))
    bench.settle()
    mark = SubjectMark(GUILD, SubjectKind.EVENT, EVENT, inactive=False)
    bench.write(ScopeCommitted(30_000, "one", (mark,)), moved(30_000, 3, flags=VoiceFlags.SELF_MUTE))
    bench.settle()
    assert rows_of(bench).participants == rows
    assert len(bench.inside.events.children) == 0


@pytest.mark.parametrize("taken", range(1, len(EVENING)))
def test_an_engine_that_begins_anew_anywhere_writes_the_same_rows(make_bench, evening, taken):
    bench = make_bench(rules=RULES)
    bench.write(*EVENING[:taken])
    bench.start().settle()
    bench.stop()
    bench.write(*EVENING[taken:])
    bench.start().settle()
    assert rows_of(bench) == evening


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


def test_an_event_that_was_asked_for_before_it_was_made_knows_its_guild_as_it_is_by_then(make_bench):
    bench = make_bench(rules=RULES)
    bench.write(
        *EVENING[:2], StopEvent(1_500, GUILD, EVENT, "early"), GuildChanged(1_700, GUILD, "Guild", ROOM)
    )
    bench.write(*EVENING[2:5])
    bench.start().settle()
    assert rows_of(bench).events[EVENT].afk_channel_id == ROOM


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
