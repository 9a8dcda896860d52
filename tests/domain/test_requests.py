"""What may be asked of an event, and what comes of it. Times are seconds: see ``EventStory``."""

import pytest
from msgspec.structs import replace

from engine.domain.events import Policy
from engine.domain.rules import EventRules
from tests.domain.event_story import letters

CREW = 7


@pytest.fixture(params=[False, True], ids=["during", "after"])
def event(request, busy):
    """The event while it runs, and when it has ended and is settled."""
    if request.param:
        busy.stop(40)
        busy.beat(42)
    return busy


class TestCreating:
    def test_what_is_asked_is_what_it_is(self, evening):
        policy = {"count_muted": False, "generous": True}
        answer = evening.make(
            5, "AB", name="Talk", starts_at=10, ends_at=30, roles=(CREW,), seconds=9, policy=policy
        )
        it = evening.event()
        assert answer.code == "ok"
        assert (it.name, letters(it.channel_ids), it.required_role_ids) == ("Talk", "AB", (CREW,))
        assert it.min_duration_ms == 9_000
        assert it.policy == replace(Policy(), **policy)
        assert it.created_at == it.updated_at

    def test_what_is_left_open_comes_from_the_rules(self, hold):
        rules = EventRules(7_000, 0.25, match_all=True, policy=Policy(count_alone=False))
        evening = hold(events=rules)
        evening.snapshot(0)
        evening.make(5, policy={"count_muted": False})
        it = evening.event()
        assert (it.min_duration_ms, it.min_share, it.match_all) == (7_000, 0.25, True)
        assert it.policy == Policy(count_alone=False, count_muted=False)


class TestChanging:
    def test_other_channels_move_the_score_to_others(self, event):
        detail = event.change(43, channels="B").detail
        assert event.participants() == {2}
        assert event.time(2) == {"counted": 10}
        assert event.links() == [(2, 14)]
        assert detail == {
            "participants": 1,
            "changed": 2,
            "gained_ms": 10_000,
            "lost_ms": 8_000,
            "newly_eligible": 1,
            "no_longer_eligible": 1,
        }

    def test_more_channels_add_others(self, event):
        detail = event.change(43, channels="AB").detail
        assert (event.time(1), event.time(2)) == ({"counted": 8, "deafened": 6}, {"counted": 10})
        assert (detail["changed"], detail["gained_ms"], detail["newly_eligible"]) == (1, 10_000, 1)

    def test_a_later_start_takes_time_away(self, event):
        detail = event.change(43, starts_at=15).detail
        assert event.time() == {"counted": 5, "deafened": 6}
        assert event.entered() == 15
        assert (detail["lost_ms"], detail["changed"]) == (3_000, 1)

    def test_an_earlier_start_reaches_back(self, event):
        event.voice(43, "A", user=3)
        event.change(44, starts_at=5)
        assert event.window()[0] == 5
        assert event.time() == {"counted": 8, "deafened": 6}

    def test_a_start_after_they_left_takes_them_out(self, event):
        event.change(43, starts_at=26)
        assert event.participants() == set()
        assert event.links() == []
        event.change(44, starts_at=25.999)
        assert event.participants() == {1}

    def test_roles_are_asked_of_the_kept_spans(self, event):
        event.change(43, roles=(CREW,))
        assert event.time() == {"missing_role": 8, "deafened": 6}
        assert event.links() == []
        event.change(44, roles=())
        assert event.links() == [(1, 12)]

    def test_another_threshold_changes_the_verdict_alone(self, event):
        detail = event.change(43, seconds=8.001).detail
        assert event.time() == {"counted": 8, "deafened": 6}
        assert detail["no_longer_eligible"] == 1
        assert (detail["gained_ms"], detail["lost_ms"]) == (0, 0)

    def test_another_policy_reads_anew(self, event):
        detail = event.change(43, policy={"count_alone": False}).detail
        assert event.time() == {"alone": 8, "deafened": 6}
        assert detail["lost_ms"] == 8_000

    def test_the_rest_of_the_policy_stays(self, event):
        event.change(43, policy={"count_alone": False})
        event.change(44, policy={"generous": True})
        assert event.event().policy == Policy(count_alone=False, generous=True)

    def test_a_name_changes_no_result(self, event):
        detail = event.change(43, name="Gala").detail
        assert event.event().name == "Gala"
        assert detail["changed"] == 0
        assert event.event().updated_at > event.event().created_at

    def test_of_a_running_event_an_end_that_has_passed_ends_it(self, busy):
        busy.change(43, ends_at=22)
        assert (busy.status(), busy.window()) == ("ended", (10, 22))
        assert busy.time() == {"counted": 8, "deafened": 2}

    def test_of_one_that_has_ended_another_end_moves_the_window(self, busy):
        busy.stop(22)
        assert busy.time() == {"counted": 8, "deafened": 2}
        busy.change(43, ends_at=25)
        assert busy.window() == (10, 25)
        assert busy.time() == {"counted": 8, "deafened": 5}
        busy.change(44, ends_at=13)
        assert busy.time() == {"counted": 1}

    def test_no_end_leaves_it_open(self, evening):
        evening.make(5, starts_at=10, ends_at=30)
        evening.change(20, ends_at=None)
        evening.beat(40)
        assert evening.status() == "active"

    def test_of_a_scheduled_event_another_start_is_its_start(self, evening):
        evening.make(5, starts_at=10, ends_at=30)
        evening.change(6, starts_at=15)
        evening.beat(12)
        assert evening.status() == "scheduled"
        evening.beat(31)
        assert evening.window() == (15, 30)

    def test_one_who_was_there_without_a_session_stays_as_long_as_they_were_in_the_window(self, evening):
        evening.held(10)
        evening.voice(12, "A")
        evening.voice(12.4, None)
        evening.change(20, channels="AB")
        assert evening.participants() == {1}
        evening.change(22, starts_at=13)
        assert evening.participants() == set()


class TestAfterTheBadges:
    @pytest.fixture
    def awarded(self, busy):
        busy.change(27, seconds=9)
        busy.stop(30)
        busy.beat(31)
        return busy

    def test_a_new_score_grants_what_is_newly_earned_once(self, awarded):
        assert awarded.badges() == set()
        awarded.change(43, seconds=8)
        awarded.beat(44)
        assert awarded.badges() == {1}
        first = dict(awarded.events.badges)
        awarded.rescore(45)
        awarded.beat(46)
        assert awarded.events.badges == first

    def test_it_never_takes_one_back(self, awarded):
        awarded.change(43, seconds=8)
        awarded.beat(44)
        awarded.change(45, seconds=9)
        awarded.beat(46)
        assert awarded.row().eligible is False
        assert awarded.badges() == {1}


class TestRescoring:
    def test_it_changes_nothing_that_was_right(self, event):
        before = dict(event.events.participants[500])
        links = event.links()
        answer = event.rescore(43)
        assert (answer.code, answer.detail["changed"]) == ("ok", 0)
        assert answer.detail["participants"] == 1
        assert event.events.participants[500] == before
        assert event.links() == links

    def test_of_a_running_event_it_tells_the_time_so_far(self, evening):
        evening.held(10)
        evening.voice(12, "A")
        assert evening.change(20, starts_at=15).detail["lost_ms"] == 3_000

    def test_of_a_cancelled_event_it_scores_and_awards_nothing(self, busy):
        busy.cancel(30)
        assert busy.rescore(31).detail["changed"] == 0
        busy.beat(33)
        assert (busy.status(), busy.badges()) == ("cancelled", set())

    def test_the_answer_to_any_other_request_tells_no_difference(self, busy):
        assert busy.stop(30).detail == {}
