"""The reference's own tests, told through our rules (notes of seed 000, sections 3.1, 3.3 and 3.4).

C, G and F number its generations. Where our rule is another, the name or the docstring says so. G1 to G5 are
about its service and T1 to T4 about its trackers; they stand with ours. A day is 86,400 seconds.
"""

import pytest

from engine.domain.tracking import Decision, SubjectState
from tests.domain.story import s

DAY = 86_400
ACTIVE, SUSPECTED, INACTIVE, EXPIRING, EXPIRED = SubjectState


def test_c1_before_any_report_a_player_is_active(follow):
    assert follow().state() is ACTIVE


def test_c2_reported_inactive_its_deadline_runs(follow):
    story = follow()
    story.inactive(5)
    assert (story.state(), story.deadline()) == (INACTIVE, 35)


def test_c3_reported_active_nothing_happens_at_all(follow):
    story = follow()
    story.active(5)
    assert (story.state(), story.lines(), story.book.trackers.saves) == (ACTIVE, [], 0)


def test_c4_reported_inactive_then_active_it_is_active_again(follow):
    story = follow()
    story.inactive(5)
    story.active(6)
    story.beat(100)
    assert story.state() is ACTIVE
    assert story.lines() == [
        (5, "tracked", "a"),
        (5, "tracker_inactive", "a"),
        (6, "tracker_active", "a"),
        (6, "active", "a"),
    ]


@pytest.mark.parametrize(("combine", "deadline"), [("lowest", 30), ("highest", 60), ("average", 45)])
def test_c5_to_c7_the_timeouts_of_two_trackers_combine(follow, combine, deadline):
    story = follow(combine=combine)
    story.inactive(0, "a", 60)
    assert story.deadline() == 60
    story.inactive(0, "b", 30)
    assert story.deadline() == deadline
    story.beat(61)
    assert story.expired() == [deadline]


def test_c8_reported_inactive_again_since_and_here_the_deadline_too_stay(follow):
    """The reference keeps only since: its deadline would be 1060."""
    story = follow(default_timeout=1_000)
    story.inactive(0)
    story.inactive(60)
    assert (story.state(), story.since(), story.deadline()) == (INACTIVE, 0, 1_000)


def test_g6_f6_polled_and_active_it_is_active(follow):
    story = follow()
    story.active(5)
    story.inactive(10)
    story.active(15)
    assert story.state() is ACTIVE


def test_g7_f2_polled_and_inactive_it_is_tracked(follow):
    story = follow()
    story.inactive(5, timeout=3_600)
    assert (story.state(), story.deadline()) == (INACTIVE, 3_605)


@pytest.mark.parametrize("polls_again", [True, False])
def test_g8_g12_f10_a_day_later_it_expired_and_here_no_second_poll_is_needed(follow, polls_again):
    story = follow()
    story.inactive(5)
    if polls_again:
        story.inactive(5 + DAY)
    else:
        story.beat(5 + DAY)
    assert story.expired() == [35]


def test_g9_the_time_it_was_active_does_not_count(follow):
    story = follow()
    story.active(0)
    story.active(DAY)
    story.inactive(DAY + 5)
    assert story.expired() == []
    story.beat(2 * DAY)
    assert story.expired() == [DAY + 35]


def test_g10_f7_a_player_that_vanishes_is_forgotten_and_another_guilds_is_none_of_its(follow):
    story = follow()
    story.inactive(5)
    story.own(10, None)
    story.beat(100)
    assert (story.player, story.state(), story.book.trackers.subjects) == (None, ACTIVE, {})
    assert story.lines() == [(5, "tracked", "a"), (5, "tracker_inactive", "a")]


def test_g11_activity_does_not_beat_an_overdue_deadline_here_it_expired_at_its_own_time(follow):
    """In the reference it depends on when it polls."""
    story = follow()
    story.inactive(5)
    story.active(5 + DAY)
    assert story.expired() == [35]
    assert story.lines()[-1] == (5 + DAY, "active", "a")


def test_f1_marks_on_a_player_that_does_not_exist_are_ignored(follow):
    story = follow(channel=None)
    story.inactive(5)
    story.beat(100)
    assert (story.state(), story.lines(), story.book.trackers.saves) == (ACTIVE, [], 0)
    story.own(110, "A")
    assert story.state() is ACTIVE


def test_f3_overdue_it_shows_as_such_while_a_decision_is_awaited(follow):
    story = follow(ask=True)
    story.inactive(5)
    story.beat(36)
    assert story.state() is EXPIRING


def test_f4_expired_it_is_disconnected(follow):
    story = follow()
    story.inactive(5)
    story.beat(5 + DAY)
    assert story.state() is EXPIRED
    assert story.disconnected() == [(35, "A")]


def test_f5_a_listener_may_keep_it(follow):
    story = follow(ask=True)
    story.inactive(5)
    story.beat(36)
    story.decide(37, Decision.IGNORE, of=35)
    story.beat(5 + DAY)
    assert (story.state(), story.expired(), story.disconnected()) == (INACTIVE, [], [])


def test_f8_tracked_is_told_when_it_is(follow):
    story = follow()
    story.inactive(5)
    assert story.lines() == [(5, "tracked", "a"), (5, "tracker_inactive", "a")]


def test_f9_active_is_told_when_it_is_again_here_after_it_expired(follow):
    story = follow()
    story.inactive(5)
    story.active(5 + DAY)
    assert story.lines()[2:] == [
        (35, "inactive"),
        (5 + DAY, "tracker_active", "a"),
        (5 + DAY, "active", "a"),
    ]


def test_f10_its_end_is_told_before_it_is_disconnected(follow):
    story = follow()
    story.inactive(5)
    story.beat(40)
    told = [type(it).__name__ for it in story.told]
    assert told == ["SaveSubject", "TellListeners", "DisconnectPlayer", "WakeAt"]


# What the issue asks to be shown.


def test_polled_every_5_s_a_timeout_of_30_s_passes_30_s_after_the_first(follow):
    """In the reference it never does: each poll moves the deadline on."""
    story = follow()
    for at in range(12, 60, 5):
        story.inactive(at)
    assert story.expired() == [42]
    assert story.disconnected() == [(42, "A")]
    assert story.book.trackers.saves == 2  # marked, expired: the polls between wrote nothing


def test_ten_trackers_and_only_the_first_deadline_counts(follow):
    labels = tuple("abcdefghij")
    story = follow(trackers=labels)
    for number, label in enumerate(labels):
        story.inactive(number, label, timeout=40 - 3 * number)
    assert story.deadline() == 9 + 13
    story.active(20, "j")
    assert story.deadline() == 8 + 16
    story.beat(30)
    assert story.expired() == [24]
    assert len([it for it in story.lines() if it[1] == "tracked"]) == 1


def test_ten_trackers_that_must_agree_count_from_the_last_one(follow):
    labels = tuple("abcdefghij")
    story = follow(trackers=labels, mode_all=True)
    for number, label in enumerate(labels):
        assert story.state() is (SUSPECTED if number else ACTIVE)
        story.inactive(number, label)
    assert (story.state(), story.deadline()) == (INACTIVE, 39)
    story.active(38.999, "c")
    assert (story.state(), story.deadline()) == (SUSPECTED, None)
    story.inactive(39.5, "c")
    story.beat(80)
    assert story.expired() == [69.5]


def test_forty_trackers_are_no_limit(follow):
    """The reference has room for 32."""
    labels = tuple(f"t{number}" for number in range(40))
    story = follow(trackers=labels, mode_all=True)
    for label in labels:
        story.inactive(2, label)
    assert story.deadline() == 32


def test_flapping_users_begin_anew_each_time(follow):
    story = follow()
    for at in range(0, 100, 10):
        story.inactive(at)
        story.active(at + 9.999)
    assert story.expired() == []
    story.inactive(100)
    story.beat(200)
    assert story.expired() == [130]


def test_a_moved_bot_is_the_same_player_and_is_disconnected_where_it_is(follow):
    story = follow()
    story.inactive(5)
    story.own(20, "B")
    assert (story.where, s(story.player.since), story.deadline()) == ("B", 0, 35)
    story.beat(40)
    assert story.disconnected() == [(35, "B")]


def test_a_player_that_goes_and_comes_back_starts_fresh(follow):
    story = follow()
    story.inactive(5)
    story.inactive(6, "b")
    story.override(7, timeout=25)
    story.own(20, None)
    story.own(21, "A")
    assert (story.state(), story.subject().override) == (ACTIVE, None)
    story.beat(50)
    assert story.expired() == []
    story.inactive(51)
    story.beat(90)
    assert story.expired() == [81]
    assert len(story.book.trackers.disconnects) == 1
