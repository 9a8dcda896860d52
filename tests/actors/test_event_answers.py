"""What is asked of an event is answered once it is committed, or it is said that it is not yet."""

import pytest

from engine.commands import NotCommitted
from engine.domain.event_inputs import CancelEvent, ChangeEvent, EventFields, StartEvent, StopEvent
from engine.domain.ids import DISCORD_EPOCH_MS
from tests.actors.evening import EVENING, EVENT, RULES, created, desk_of, rows_of
from tests.actors.inputs import GUILD, ROOM


class TestAnswers:
    @pytest.fixture
    def desk(self, make_bench):
        bench = make_bench(rules=RULES).start()
        bench.write(*EVENING[:2])
        bench.settle()
        return bench, desk_of(bench)

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
        asked.now = lambda: 1_700_000_000_000
        ids = [asked.new_id() for _ in range(5_000)]
        assert ids == sorted(set(ids))
        assert {it >> 22 for it in ids} == {1_700_000_000_000 - DISCORD_EPOCH_MS}
