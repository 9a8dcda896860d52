"""Deadlines at their edges: what the reference does not test (notes of seed 000, section 3.6), and more."""

import pytest
from msgspec.structs import replace

from engine.domain.inactivity import LATEST, mark_active, mark_inactive
from engine.domain.inputs import VoiceStateChanged
from engine.domain.tracker_inputs import ScopeCommitted, SubjectMark
from engine.domain.tracking import Decision, Subject, SubjectKind, SubjectState
from tests.domain.ingest import GUILDS
from tests.domain.story import GUILD, channel_of, ms
from tests.domain.tracker_story import OWN, mark, tracking

ACTIVE, SUSPECTED, INACTIVE, EXPIRING, EXPIRED = SubjectState
EXPIRE, POSTPONE, IGNORE = Decision


def test_a_mark_of_another_tracker_makes_no_deadline_later(follow):
    """The reference restarts the clock: 110."""
    story = follow()
    story.inactive(0, "a", 60)
    story.inactive(50, "b", 60)
    assert story.deadline() == 60


def test_an_active_mark_of_one_that_did_not_hold_it_changes_nothing(follow):
    """In the reference it tells of a tracker that became active, and restarts the clock."""
    story = follow()
    story.inactive(0)
    told = story.lines()
    story.active(20, "b")
    assert (story.lines(), story.deadline(), story.book.trackers.saves) == (told, 30, 1)


def test_what_a_tracker_says_again_has_no_transition():
    subject, _ = mark_inactive(Subject(SubjectKind.PLAYER, GUILD), tracking(), "a", 0)
    assert mark_active(subject, tracking(), "b", 5) == (subject, [])
    assert mark_inactive(subject, tracking(), "a", 5) == (subject, [])
    assert mark_inactive(subject, tracking(), "a", 5, 60_000)[1] == []


def test_a_changed_timeout_moves_the_deadline_from_since_on(follow):
    story = follow()
    story.inactive(0)
    story.inactive(20, timeout=100)
    assert (story.since(), story.deadline()) == (0, 100)
    story.inactive(25)  # without one: the default again
    assert story.deadline() == 30


def test_a_timeout_made_shorter_than_the_time_that_has_passed_passes_now_and_not_before(follow):
    story = follow()
    story.inactive(0, timeout=100)
    story.inactive(50, timeout=20)
    assert story.expired() == [50]


@pytest.mark.parametrize("active_at", [29.999, 30, 30.001])
def test_active_before_the_deadline_it_lives_at_it_or_after_it_does_not(follow, active_at):
    """At the very moment the deadline goes first: it came before the entry."""
    story = follow()
    story.inactive(0)
    story.active(active_at)
    assert story.expired() == ([] if active_at < 30 else [30])


@pytest.mark.parametrize("again_at", [29.999, 30, 30.001])
def test_marked_again_about_its_deadline_it_expires_at_it_once(follow, again_at):
    story = follow()
    story.inactive(0)
    story.inactive(again_at)
    story.beat(100)
    assert story.expired() == [30]
    assert len(story.disconnected()) == 1


def test_a_shorter_deadline_behind_a_longer_one_is_noticed(follow):
    story = follow()
    story.inactive(0, "a", 100)
    story.inactive(1, "b", 10)
    story.beat(11)
    assert story.expired() == [11]


def test_a_longer_deadline_behind_a_shorter_one_changes_nothing(follow):
    story = follow()
    story.inactive(0, "a", 10)
    story.inactive(1, "b", 100)
    story.beat(11)
    assert story.expired() == [10]


def test_once_the_nearest_is_called_off_the_next_one_counts(follow):
    story = follow()
    story.inactive(0, "a", 10)
    story.inactive(1, "b", 100)
    story.active(5, "a")
    assert story.deadline() == 101


def test_the_highest_that_is_called_off_behind_a_passed_one_passes_now(follow):
    story = follow(combine="highest")
    story.inactive(0, "a", 10)
    story.inactive(0, "b", 100)
    story.active(50, "b")
    assert story.expired() == [50]


def test_called_off_and_set_again_at_the_same_moment(follow):
    story = follow()
    story.inactive(0)
    story.active(10)
    story.inactive(10)
    assert (story.since(), story.deadline()) == (10, 40)
    story.beat(50)
    assert story.expired() == [40]


def test_two_players_with_the_same_deadline(follow):
    story = follow()
    other = GUILDS[1]
    story.tell(replace(story.journal[0].input, guild_id=other))
    story.tell(VoiceStateChanged(ms(0), other, OWN, channel_of("Z"), bot=True))
    both = (mark(True), replace(mark(True), guild_id=other, subject_id=other))
    story.tell(ScopeCommitted(ms(3), "a", both))
    story.beat(40)
    told = story.book.trackers.disconnects.values()
    assert sorted((it.guild_id, it.at) for it in told) == [(GUILD, ms(33)), (other, ms(33))]


def test_no_timeout_at_all_expires_at_once(follow):
    story = follow()
    story.inactive(5, timeout=0)
    assert story.lines() == [(5, "tracked", "a"), (5, "tracker_inactive", "a"), (5, "inactive")]


def test_fifty_days_and_more_are_a_timeout_like_any_other(follow):
    """The reference's loop dies of it."""
    story = follow()
    story.inactive(0, timeout=60 * 86_400)
    story.beat(60 * 86_400 - 0.001)
    assert story.expired() == []
    story.beat(60 * 86_400)
    assert story.expired() == [60 * 86_400]


def test_no_timeout_is_too_long(follow):
    story = follow(ask=True)
    story.inactive(0, timeout=10**18)
    assert story.subject().deadline == LATEST
    story.inactive(1, timeout=1)
    story.decide(2, POSTPONE, of=1, postpone=10**18)
    assert story.subject().deadline == LATEST


def test_a_subject_ends_while_its_deadline_runs_and_its_alarm_with_it(follow):
    story = follow()
    story.inactive(0)
    assert story.book.trackers.wakes == {GUILD: ms(30)}
    story.own(10, None)
    assert story.book.trackers.wakes == {GUILD: None}


def test_a_deadline_passes_before_whatever_comes_after_it_in_the_journal(follow):
    story = follow()
    story.inactive(0)
    story.own(60, None)  # the first entry to show that it is later than 30
    assert story.expired() == [30]
    assert story.book.trackers.subjects == {}


def test_of_one_scope_the_last_mark_of_a_subject_counts(follow):
    story = follow()
    story.scope(5, "a", mark(True), mark(False))
    assert story.state() is ACTIVE
    story.scope(6, "a", mark(False), mark(True, 9))
    assert story.deadline() == 15
    story.scope(8, "a", mark(False), mark(True, 9))  # it was not active in between
    assert story.since() == 6


def test_what_a_tracker_says_that_is_not_configured_is_ignored(follow):
    story = follow()
    story.inactive(5, "zombie")
    assert (story.state(), story.lines()) == (ACTIVE, [])


def test_each_transition_carries_the_state_right_after_it(follow):
    """In the reference a listener may be told of a tracked player that is so no more."""
    story = follow(mode_all=True, trackers=("a", "b"))
    story.inactive(0, "a")
    story.inactive(5, "b")
    story.active(7, "a")
    story.active(8, "b")
    told = [(it.what.name, it.state, it.deadline) for it in story.edges()]
    assert told == [
        ("TRACKED", SUSPECTED, None),
        ("TRACKER_INACTIVE", SUSPECTED, None),
        ("TRACKER_INACTIVE", INACTIVE, ms(35)),
        ("TRACKER_ACTIVE", SUSPECTED, None),
        ("TRACKER_ACTIVE", ACTIVE, None),
        ("ACTIVE", ACTIVE, None),
    ]


def test_where_all_must_agree_the_deadline_counts_from_when_the_last_did(follow):
    story = follow(mode_all=True, trackers=("a", "b"), combine="highest")
    story.inactive(0, "a", 60)
    story.inactive(50, "b", 20)
    assert story.deadline() == 110


def test_an_expired_player_expires_again_only_once_it_was_active(follow):
    story = follow(on_expiry="notify")
    story.inactive(0)
    story.inactive(40, "b")
    story.active(50, "a")
    story.beat(100)
    assert (story.state(), story.expired(), story.disconnected()) == (EXPIRED, [30], [])
    story.active(101, "b")
    story.inactive(102)
    story.beat(200)
    assert story.expired() == [30, 132]


def test_a_tracker_that_runs_no_more_holds_nothing(follow):
    story = follow()
    story.inactive(0, "a", 60)
    story.inactive(1, "b", 10)
    story.known(5, "a", "c")
    assert (story.deadline(), story.lines()[-1]) == (60, (5, "tracker_active", "b"))
    assert story.edges()[-1].cause == "b runs no more"
    story.known(6)
    assert (story.state(), story.lines()[-1]) == (ACTIVE, (6, "active", "a"))


def test_a_scope_reaches_only_the_guilds_it_names(follow):
    story = follow()
    story.tell(ScopeCommitted(ms(5), "a", (SubjectMark(22, SubjectKind.PLAYER, 22, True),)))
    assert story.state() is ACTIVE


# Several writers: an entry may come late.


def test_a_late_mark_counts_from_its_own_time(follow):
    story = follow()
    story.beat(20)
    story.inactive(10)
    assert (story.since(), story.deadline()) == (10, 40)


def test_a_late_mark_whose_deadline_has_passed_expires_at_its_own_time(follow):
    story = follow()
    story.beat(60)
    story.inactive(10)
    assert story.expired() == [40]


def test_nothing_of_a_subject_happens_before_what_happened_to_it(follow):
    story = follow()
    story.inactive(10)
    story.beat(50)
    story.active(39)
    assert [at for at, *_ in story.lines()] == [10, 10, 40, 40, 40]


def test_a_mark_from_before_the_player_came_holds_it_since_it_came(follow):
    story = follow(channel=None)
    story.own(20, "A")
    story.inactive(15)
    assert story.since() == 20
