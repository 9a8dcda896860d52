"""Who attended an event, from when to when, and whether that is enough.

Times are seconds: see ``EventStory``. Where no test says otherwise an event is held in A from 10 to 30.
"""

import pytest

from engine.domain.events import Event, EventStatus
from engine.domain.rules import EventRules
from tests.domain.attending import SELF_DEAF, attended
from tests.domain.story import GUILD


def test_a_tracked_bot_attends_nothing_and_is_nobodys_company(hold):
    evening = hold(track_bots=True)
    evening.snapshot(0)
    evening.held(10, policy={"count_alone": False})
    evening.voice(10, "A")
    evening.voice(12, "A", user=50, bot=True)
    evening.stop(30)
    assert evening.participants() == {1}
    assert evening.time() == {"alone": 20}
    assert evening.links() == [(1, 10)]
    assert len(evening.book.of(GUILD, 50)) == 1


class TestChannels:
    def test_of_several_each_counts_and_none_beside(self, evening):
        evening.held(10, "AC")
        for at, channel in ((10, "A"), (14, "B"), (17, "C"), (22, None)):
            evening.voice(at, channel)
        assert evening.time() == {"counted": 4 + 5}
        assert evening.links() == [(1, 10), (1, 17)]

    def test_several_events_may_be_held_in_one(self, evening):
        evening.held(10, "A", event=500)
        evening.voice(12, "A")
        evening.held(15, "AB", event=501)
        evening.voice(20, "B")
        evening.stop(25, event=500)
        evening.stop(30, event=501)
        assert (evening.time(event=500), evening.time(event=501)) == ({"counted": 8}, {"counted": 15})
        assert evening.links(500) == [(1, 12)]
        assert evening.links(501) == [(1, 12), (1, 20)]

    def test_early_joiners_are_linked_and_counted_from_the_start(self, evening):
        evening.voice(2, "A")
        evening.held(10)
        assert evening.links() == [(1, 2)]
        evening.stop(30)
        assert evening.time() == {"counted": 20}
        assert evening.entered() == 10

    def test_who_left_before_the_start_or_came_after_the_end_was_not_in_it(self, evening):
        evening.voice(2, "A")
        evening.voice(9, None)
        evening.held(10)
        evening.stop(30)
        evening.voice(31, "A", user=2)
        assert evening.participants() == set()
        assert evening.links() == []

    def test_who_left_at_the_very_start_was_not_in_it(self, evening):
        evening.voice(2, "A")
        evening.make(5, starts_at=10)
        evening.voice(10, None)
        assert evening.participants() == set()

    def test_the_afk_channel_may_change_as_long_as_the_event_goes_on(self, evening):
        """As of its last moment it holds for the whole event: nobody keeps when it was what."""
        evening.held(10)
        evening.voice(10, "A")
        evening.afk(15, "A")
        assert evening.time() == {"afk": 5}
        evening.afk(20, "B")
        assert evening.time() == {"counted": 10}
        evening.stop(30)
        evening.afk(31, "A")
        assert evening.time() == {"counted": 20}

    def test_where_it_counts_the_afk_channel_is_one_like_others(self, evening):
        evening.afk(5, "A")
        assert attended(evening, policy={"count_afk": True}) == {"counted": 20}


class TestSlack:
    """The connection is lost at 12 and back at 20; the member is seen from 10 on, or not at all."""

    @pytest.fixture(params=[False, True], ids=["strict", "generous"])
    def generous(self, request):
        return request.param

    def test_who_is_gone_after_a_gap_left_at_its_beginning_or_at_its_end(self, evening, generous):
        evening.held(10, policy={"generous": generous})
        evening.voice(10, "A")
        evening.beat(12, connected=False)
        evening.snapshot(20, connection="c2")
        assert evening.time() == {"counted": 10 if generous else 2}

    def test_who_is_newly_there_joined_at_its_end_or_at_its_beginning(self, evening, there, generous):
        evening.held(10, policy={"generous": generous})
        evening.beat(12, connected=False)
        evening.snapshot(20, there("A"), connection="c2")
        evening.voice(25, None)
        assert evening.time() == {"counted": 13 if generous else 5}
        assert evening.entered() == (12 if generous else 20)

    def test_who_is_there_by_another_name_is_not_counted_twice(self, evening, there, generous):
        evening.held(10, policy={"generous": generous})
        evening.voice(10, "A")
        evening.beat(12, connected=False)
        evening.snapshot(20, there("A", name="s2"), connection="c2")
        evening.stop(30)
        assert evening.time() == {"counted": 20 if generous else 12}

    def test_a_leave_that_a_resume_replays_lies_in_its_window(self, evening, generous):
        evening.held(10, policy={"generous": generous})
        evening.voice(10, "A")
        evening.voice(20, None, lost=12)
        assert evening.time() == {"counted": 10 if generous else 2}

    def test_a_gap_around_the_start_may_hide_that_somebody_was_there(self, evening, generous):
        evening.voice(5, "A")
        evening.beat(8, connected=False)
        evening.make(9, starts_at=10, ends_at=30, policy={"generous": generous})
        evening.snapshot(20, connection="c2")
        assert evening.participants() == ({1} if generous else set())
        assert evening.links() == ([(1, 5)] if generous else [])

    def test_a_gap_around_the_end_may_hide_that_somebody_came(self, evening, there, generous):
        evening.make(9, starts_at=10, ends_at=30, policy={"generous": generous})
        evening.beat(28, connected=False)
        evening.snapshot(40, there("A"), connection="c2")
        assert evening.participants() == ({1} if generous else set())
        assert (evening.result()[1].counted_ms if generous else 2_000) == 2_000

    def test_bridged_time_is_that_of_the_same_presence(self, evening, there):
        evening.held(10, policy={"count_bridged": False})
        evening.voice(10, "A")
        evening.beat(12, connected=False)
        evening.snapshot(20, there("A"), connection="c2")
        evening.stop(30)
        assert evening.time() == {"counted": 12, "bridged": 8}


class TestMicroSessions:
    def test_the_entry_stays_and_the_time_does_not(self, evening):
        evening.held(10)
        evening.voice(12, "A")
        assert evening.links() == [(1, 12)]
        evening.voice(12.5, None)
        assert evening.cached() == (12, 12, 0)
        assert evening.links() == []
        evening.stop(30)
        assert evening.time() == {}
        assert evening.row().eligible is False

    def test_nor_does_it_to_a_move(self, evening):
        evening.held(10)
        evening.voice(12, "A")
        evening.voice(12.5, "B")
        evening.stop(30)
        assert (evening.participants(), evening.time()) == ({1}, {})

    def test_the_next_session_goes_on_from_nothing(self, evening):
        evening.held(10)
        evening.voice(12, "A")
        evening.voice(12.5, None)
        evening.voice(14, "A")
        evening.stop(30)
        assert evening.time() == {"counted": 16}
        assert evening.entered() == 12

    def test_one_that_the_end_cuts_short_counts_if_its_session_is_long_enough(self, evening):
        evening.held(10)
        evening.voice(29.8, "A")
        evening.voice(29.9, "A", user=2)
        evening.stop(30)
        evening.voice(30.2, None)
        evening.voice(31, None, user=2)
        evening.beat(32)
        assert (evening.time(1), evening.time(2)) == ({}, {"counted": 0.1})
        assert evening.badges() == {2}

    def test_before_the_start_it_is_none(self, evening):
        evening.voice(9, "A")
        evening.voice(9.5, None)
        evening.held(10)
        assert evening.participants() == set()


class TestThreshold:
    @pytest.mark.parametrize(
        ("terms", "threshold_ms"),
        [
            ({}, 1),
            ({"min_duration_ms": 5_000}, 5_000),
            ({"min_share": 0.5}, 10_000),
            ({"min_share": 1.0}, 20_000),
            ({"min_share": 0.5, "min_duration_ms": 5_000}, 10_000),
            ({"min_share": 0.1, "min_duration_ms": 5_000}, 5_000),
            ({"min_share": 0.00001}, 1),
            ({"min_share": 1 / 3}, 6_667),
            ({"min_share": 0.1 + 0.2}, 6_000),  # a binary fraction more
        ],
    )
    def test_it_is_the_larger_of_seconds_and_share_and_never_nothing(self, terms, threshold_ms):
        event = Event(1, 1, "", (1,), EventStatus.ENDED, started_at=10_000, ended_at=30_000, **terms)
        assert event.threshold_ms(99_000) == threshold_ms

    def test_of_a_running_event_it_is_the_share_so_far(self):
        event = Event(1, 1, "", (1,), EventStatus.ACTIVE, started_at=10_000, min_share=0.5)
        assert event.threshold_ms(14_000) == 2_000

    @pytest.mark.parametrize(("counted", "eligible"), [(9.999, False), (10, True), (10.001, True)])
    def test_to_the_millisecond(self, evening, counted, eligible):
        evening.held(10, min_share=0.5)
        evening.voice(10, "A")
        evening.voice(10 + counted, None)
        evening.stop(30)
        assert evening.row().eligible is eligible

    def test_who_never_counted_is_not_eligible_though_nothing_is_required(self, evening):
        assert attended(evening, flags=SELF_DEAF) == {"deafened": 20}
        assert evening.row().eligible is False

    def test_defaults_come_from_the_rules(self, hold):
        evening = hold(events=EventRules(min_duration_ms=15_000))
        evening.snapshot(0)
        evening.held(10)
        evening.voice(10, "A")
        evening.voice(20, None)
        evening.stop(30)
        assert evening.row().eligible is False


def test_bots_are_no_participants(evening):
    evening.held(10)
    evening.voice(12, "A", bot=True)
    assert evening.participants() == set()
