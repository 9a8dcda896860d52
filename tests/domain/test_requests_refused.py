"""What is refused of what is asked of an event, and why. Times are seconds: see ``EventStory``."""

import pytest

from engine.domain.event_inputs import CreateEvent, EventFields
from tests.domain.story import GUILD, channel_of, ms

STATES = ("none", "scheduled", "active", "ended", "cancelled")
MET = {
    "make": {"none"},
    "start": {"scheduled"},
    "stop": {"active"},
    "cancel": {"scheduled", "active"},
    "rescore": {"active", "ended"},
    "change": {"scheduled", "active", "ended"},
}


class TestRefusing:
    @pytest.mark.parametrize("state", STATES)
    @pytest.mark.parametrize("request_name", MET)
    def test_what_does_not_fit_the_status_is_a_conflict(self, evening, state, request_name):
        if state != "none":
            evening.make(5)
        if state in ("active", "ended"):
            evening.start(10)
        if state == "ended":
            evening.stop(20)
        if state == "cancelled":
            evening.cancel(10)
        before = evening.outcome()
        answer = getattr(evening, request_name)(30)
        if state in MET[request_name]:
            assert (answer.code, answer.message, answer.field) == ("ok", "", None)
            return
        assert answer.code == ("not_found" if state == "none" else "conflict")
        assert answer.message
        assert answer.field is None
        assert {**evening.outcome(), "answers": before["answers"]} == before

    def test_the_event_that_is_not_found_is_named(self, evening):
        assert "777" in evening.stop(5, event=777).message

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"channels": ""}, "voiceChannelIds"),
            ({"starts_at": 20, "ends_at": 20}, "endsAt"),
            ({"starts_at": 20, "ends_at": 19}, "endsAt"),
        ],
    )
    def test_what_cannot_be_is_invalid_and_its_field_named(self, evening, fields, field):
        answer = evening.make(5, **{"channels": "A"} | fields)
        assert (answer.code, answer.field) == ("invalid", field)
        assert evening.events.events == {}
        evening.make(6)
        answer = evening.change(7, **fields)
        assert (answer.code, answer.field) == ("invalid", field)
        assert evening.event().updated_at == evening.event().created_at

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"starts_at": 50}, "startsAt"),
            ({"ends_at": 10}, "endsAt"),
            ({"ends_at": 9}, "endsAt"),
            ({"channels": ""}, "voiceChannelIds"),
        ],
    )
    def test_of_an_active_event_its_start_lies_behind_and_its_end_after_that(self, busy, fields, field):
        answer = busy.change(43, **fields)
        assert (answer.code, answer.field) == ("invalid", field)
        assert busy.window() == (10, None)

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"starts_at": 60, "ends_at": 70}, "startsAt"),
            ({"ends_at": 60}, "endsAt"),
            ({"ends_at": 10}, "endsAt"),
            ({"starts_at": 30}, "startsAt"),
        ],
    )
    def test_of_one_that_has_ended_the_end_lies_behind_too(self, busy, fields, field):
        busy.stop(30)
        answer = busy.change(43, **fields)
        assert (answer.code, answer.field) == ("invalid", field)
        assert busy.window() == (10, 30)

    def test_one_of_no_length_may_change_its_name(self, evening):
        evening.held(10)
        evening.stop(9)
        assert evening.change(20, name="Gala").code == "ok"
        assert evening.change(21, ends_at=10).code == "invalid"

    def test_a_request_from_just_before_the_start_may_change_its_name(self, evening):
        evening.held(10)
        assert evening.change(9.9, name="Gala").code == "ok"
        evening.stop(20)
        assert evening.change(19.9, seconds=3).code == "ok"

    def test_a_refused_change_scores_nothing(self, busy):
        assert busy.change(43, starts_at=50, channels="B").detail == {}
        assert busy.participants() == {1}

    def test_a_request_without_an_id_is_met_without_an_answer(self, evening):
        evening.tell(CreateEvent(ms(5), GUILD, 501, EventFields("Quiet", (channel_of("A"),))))
        evening.tell(CreateEvent(ms(6), GUILD, 501, EventFields("Loud", (channel_of("A"),))))
        assert evening.event(501).name == "Quiet"
        assert evening.events.answers == {}
