"""When events begin, end and settle. Times are seconds, channels letters: see ``EventStory``."""

import pytest

from engine.domain import lifecycle
from engine.domain.events import Event, EventStatus


class TestByTime:
    def test_an_event_begins_and_ends_at_its_own_deadlines(self, evening):
        evening.voice(2, "A")
        evening.make(5, starts_at=10, ends_at=30)
        evening.beat(9.999)
        assert evening.status() == "scheduled"
        evening.beat(17)
        assert (evening.status(), evening.window()) == ("active", (10, None))
        evening.voice(29, None)
        evening.beat(47)
        assert (evening.status(), evening.window()) == ("ended", (10, 30))
        assert evening.time() == {"counted": 19}

    def test_a_deadlines_very_moment_is_reached(self, evening):
        evening.make(5, starts_at=10, ends_at=30)
        evening.beat(10)
        assert evening.status() == "active"
        evening.beat(30)
        assert evening.status() == "ended"

    def test_both_deadlines_may_have_passed_at_once(self, evening):
        """The engine was down from 6 on: members are given the time between all the same."""
        evening.make(5, starts_at=10, ends_at=30)
        evening.voice(6, "A")
        evening.beat(100)
        assert (evening.status(), evening.window()) == ("ended", (10, 30))
        assert evening.time() == {"counted": 20}
        assert evening.links() == [(1, 6)]

    def test_any_entry_makes_time_pass_be_it_of_another_guild(self, evening):
        evening.make(5, starts_at=10)
        evening.voice(11, "B")
        assert evening.window() == (10, None)

    def test_what_comes_after_the_end_is_none_of_the_events(self, evening):
        evening.make(5, starts_at=10, ends_at=30)
        evening.voice(12, "A")
        evening.voice(35, None)
        assert evening.time() == {"counted": 18}

    def test_one_that_nobody_starts_is_cancelled_at_its_end(self, evening):
        evening.make(5, ends_at=30)
        evening.voice(12, "A")
        evening.beat(31)
        assert (evening.status(), evening.window()) == ("cancelled", (None, None))
        assert evening.participants() == set()
        assert evening.event().settled

    def test_one_that_is_started_ends_at_its_time(self, evening):
        evening.make(5, ends_at=30)
        evening.start(10)
        evening.beat(31)
        assert evening.window() == (10, 30)

    def test_one_that_is_started_early_keeps_that_start(self, evening):
        evening.make(5, starts_at=20, ends_at=30)
        evening.start(10)
        evening.beat(31)
        assert evening.window() == (10, 30)

    def test_one_for_a_past_window_is_scored_from_the_kept_spans(self, evening):
        evening.voice(10, "A")
        evening.voice(14, "A", 1)
        evening.voice(18, "A")
        evening.voice(25, None)
        evening.make(60, starts_at=12, ends_at=20)
        assert (evening.status(), evening.window()) == ("ended", (12, 20))
        assert evening.time() == {"counted": 4, "deafened": 4}
        assert evening.links() == [(1, 10)]

    def test_one_that_began_in_the_past_is_active_and_follows(self, evening):
        evening.voice(10, "A")
        evening.make(60, starts_at=12)
        assert evening.cached() == (12, None, 0)
        evening.voice(70, None)
        assert evening.cached() == (12, 70, 58)

    @pytest.mark.parametrize(
        ("terms", "deadline"),
        [
            ({"starts_at": 10, "ends_at": 30}, 10),
            ({"ends_at": 30}, 30),
            ({}, None),
            ({"starts_at": 10, "ends_at": 30, "status": EventStatus.ACTIVE}, 30),
            ({"starts_at": 10, "status": EventStatus.ACTIVE}, None),
            ({"starts_at": 10, "ends_at": 30, "status": EventStatus.ENDED}, None),
            ({"starts_at": 10, "ends_at": 30, "status": EventStatus.CANCELLED}, None),
            ({"starts_at": 10, "ends_at": 30, "source": "discord"}, None),
        ],
    )
    def test_the_next_deadline_is_known(self, terms, deadline):
        assert lifecycle.deadline(Event(1, 1, "", (1,), **terms)) == deadline


class TestByRequest:
    def test_a_late_request_takes_effect_at_its_own_time(self, evening):
        evening.make(5)
        evening.voice(10, "A")
        evening.beat(15)
        evening.start(12)
        evening.voice(20, None)
        evening.stop(18)
        assert evening.window() == (12, 18)
        assert evening.time() == {"counted": 6}

    def test_a_stop_before_the_start_ends_it_at_once(self, evening):
        evening.held(10)
        evening.stop(9)
        assert evening.window() == (10, 10)

    def test_cancelling_an_active_event_keeps_the_attendance_and_gives_no_badge(self, evening):
        evening.held(10)
        evening.voice(12, "A")
        evening.cancel(20)
        evening.beat(22)
        assert (evening.status(), evening.window()) == ("cancelled", (10, 20))
        assert evening.time() == {"counted": 8}
        assert evening.row().eligible is False
        assert evening.badges() == set()
        assert 500 not in evening.events.live

    def test_cancelling_a_scheduled_one_leaves_nothing_behind(self, evening):
        evening.make(5, starts_at=10)
        evening.cancel(8)
        evening.voice(9, "A")
        evening.beat(20)
        assert (evening.status(), evening.window()) == ("cancelled", (None, None))
        assert evening.participants() == set()


class TestSettling:
    @pytest.fixture
    def over(self, evening):
        evening.held(10)
        evening.voice(12, "A")
        evening.stop(30)
        return evening

    def test_no_badge_before_the_guild_was_watched_beyond_the_end(self, over):
        over.beat(30.999)
        assert (over.event().settled, over.badges()) == (False, set())
        over.beat(31)
        assert (over.event().settled, over.badges()) == (True, {1})
        assert over.events.badges[500, 1].at == over.event().ended_at

    def test_a_heartbeat_without_its_connection_alive_does_not_settle(self, over):
        over.beat(60, alive=20, connected=False)
        assert not over.event().settled

    def test_nor_does_another_connection(self, over):
        over.beat(60, connection="c2")
        assert not over.event().settled

    def test_what_a_gap_hid_is_corrected_before_the_badges(self, evening, there):
        evening.held(10, seconds=15)
        evening.voice(12, "A")
        evening.voice(12, "A", user=2)
        evening.beat(20, connected=False)
        evening.stop(30)
        assert (evening.time(1), evening.time(2)) == ({"counted": 18}, {"counted": 18})
        evening.beat(60, connection="c2")
        assert evening.badges() == set()
        evening.snapshot(60, there("A"), connection="c2")
        assert (evening.time(1), evening.time(2)) == ({"counted": 18}, {"counted": 8})
        assert evening.badges() == {1}

    def test_an_outage_of_discords_holds_it_up(self, over):
        over.unavailable(30.5)
        over.beat(60)
        assert not over.event().settled
        over.snapshot(70)
        over.beat(71)
        assert over.event().settled

    def test_a_guild_that_is_lost_holds_nothing_up(self, over):
        over.lost(30.5)
        over.beat(60)
        assert (over.event().settled, over.badges()) == (True, {1})

    def test_the_loss_of_the_guild_ends_its_active_events(self, evening):
        evening.held(10)
        evening.make(5, starts_at=50, event=501)
        evening.voice(12, "A")
        evening.lost(20)
        assert (evening.status(), evening.window()) == ("ended", (10, 20))
        assert evening.status(501) == "scheduled"
        assert evening.time() == {"counted": 8}
        evening.beat(21)
        assert evening.badges() == {1}

    def test_settled_is_settled(self, over):
        over.beat(31)
        rows = dict(over.events.participants[500])
        over.voice(32, None)
        over.voice(33, "A", user=2)
        assert over.events.participants[500] == rows
        assert over.links() == [(1, 12)]

    def test_without_anybody_eligible_nothing_is_awarded(self, evening):
        evening.held(10)
        evening.stop(30)
        evening.beat(31)
        assert evening.event().settled
        assert "AwardBadges" not in evening.events.writes[500]

    def test_start_stop_and_settling_write_the_rows_once_each(self, evening):
        evening.voice(8, "A")
        evening.held(10)
        assert evening.events.writes[500]["SaveParticipants"] == 1
        evening.stop(30)
        assert evening.events.writes[500]["SaveParticipants"] == 2
        evening.beat(31)
        assert evening.events.writes[500]["SaveParticipants"] == 2  # nothing was learned
        assert evening.events.writes[500]["AwardBadges"] == 1
