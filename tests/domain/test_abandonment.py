"""Events that trackers report on: one that everybody has left ends when they did (seed 000).

Times are seconds, channels letters. The event is held in A from 10 on.
"""

import pytest

from engine.domain.event_inputs import ScheduledEvent, ScheduledEventChanged
from engine.domain.event_step import event_deadline
from engine.domain.events import EventStatus
from engine.domain.rules import Rules
from engine.domain.tracker_inputs import ScopeCommitted
from engine.domain.tracking import Decision, SubjectState
from tests.domain.event_story import EVENT
from tests.domain.story import GUILD, channel_of, ms, s
from tests.domain.tracker_story import mark

ACTIVE, SUSPECTED, INACTIVE, EXPIRING, EXPIRED = SubjectState


@pytest.fixture
def party(follow):
    """User 1 is there from 12 to 20, then nobody; the tracker says so at 20."""

    def begin(**rules):
        story = follow(**rules)
        story.held(10)
        story.voice(12, "A")
        story.voice(20, None)
        story.inactive(20, event=EVENT)
        return story

    return begin


def test_an_abandoned_event_ends_when_it_was_abandoned(party):
    """The reference knows of no events. The grace period is not counted."""
    story = party()
    assert (story.status(), story.state(EVENT), story.deadline(EVENT)) == ("active", INACTIVE, 50)
    story.beat(49.999)
    assert story.status() == "active"
    story.beat(60)
    assert (story.status(), story.window()) == ("ended", (10, 20))
    assert story.event().updated_at == ms(50)
    assert story.lines(EVENT) == [
        (20, "tracked", "a"),
        (20, "tracker_inactive", "a"),
        (50, "inactive"),
    ]


def test_attendance_is_closed_then_though_somebody_stayed(party):
    story = party()
    story.voice(15, "A", user=2)
    story.voice(30, "A", user=3)
    story.beat(60)
    assert story.time(1) == {"counted": 8}
    assert story.time(2) == {"counted": 5}
    assert story.participants() == {1, 2}
    assert story.links() == [(1, 12), (2, 15)]


def test_the_badge_depends_on_the_time_it_was_really_held(follow):
    story = follow()
    story.held(10, min_share=0.75)
    story.voice(10, "A")
    story.voice(20, None)
    story.inactive(20, event=EVENT)
    story.beat(60)
    assert story.event().settled
    assert story.badges() == {1}  # 10 of 10 s, not 10 of 40


def test_active_again_in_time_it_goes_on(party):
    story = party()
    story.active(40, event=EVENT)
    story.beat(100)
    assert (story.status(), story.state(EVENT)) == ("active", ACTIVE)
    assert story.lines(EVENT)[-1] == (40, "active", "a")


def test_of_trackers_of_which_any_will_do_the_earliest_tells_when(follow):
    story = follow()
    story.held(10)
    story.inactive(20, "a", 100, event=EVENT)
    story.inactive(30, "b", 5, event=EVENT)
    story.beat(60)
    assert story.window() == (10, 20)
    assert story.expired(EVENT) == [35]


def test_of_trackers_that_must_agree_the_latest_tells_when(follow):
    story = follow(mode_all=True, trackers=("a", "b"))
    story.held(10)
    story.inactive(20, "a", event=EVENT)
    story.inactive(30, "b", event=EVENT)
    story.beat(70)
    assert (story.window(), story.expired(EVENT)) == ((10, 30), [60])


def test_its_own_end_goes_before_what_would_have_come_after_it(follow):
    story = follow()
    story.make(5, starts_at=10, ends_at=50)
    story.beat(11)
    story.inactive(21, event=EVENT)  # until 51
    story.beat(100)
    assert (story.window(), story.expired(EVENT)) == ((10, 50), [])


@pytest.mark.parametrize(("at", "ended"), [(19.999, 19.999), (20, 50)])
def test_of_its_own_end_and_the_deadline_the_first_counts_and_at_the_same_moment_its_own(follow, at, ended):
    story = follow()
    story.make(5, starts_at=10, ends_at=50)
    story.beat(11)
    story.inactive(at, event=EVENT)
    story.beat(100)
    assert story.window() == (10, ended)


@pytest.mark.parametrize(
    "end",
    [
        lambda it: it.stop(30),
        lambda it: it.cancel(30),
        lambda it: it.lost(30),
        lambda it: it.change(30, ends_at=29),
    ],
    ids=["stopped", "cancelled", "guild lost", "end moved"],
)
def test_what_was_said_of_it_ends_with_the_event(party, end):
    story = party()
    end(story)
    assert story.status() in ("ended", "cancelled")
    assert story.book.trackers.subjects == {}
    story.inactive(31, event=EVENT)
    story.beat(100)
    assert (story.book.trackers.subjects, story.expired(EVENT)) == ({}, [])


def test_a_stop_that_comes_after_the_deadline_comes_too_late(party):
    story = party()
    answer = story.stop(60)
    assert (answer.code, story.window()) == ("conflict", (10, 20))


def test_a_guild_lost_after_the_deadline_changes_nothing(party):
    story = party()
    story.lost(60)
    assert story.window() == (10, 20)


def test_a_guild_lost_before_the_deadline_ends_it_first(party):
    story = party()
    story.lost(40)
    story.beat(60)  # told at once with the loss, when the story is told again
    assert (story.window(), story.expired(EVENT)) == ((10, 40), [])


@pytest.mark.parametrize("prepare", [lambda _: None, lambda it: it.make(5)], ids=["unknown", "scheduled"])
def test_marks_on_an_event_that_is_not_active_are_ignored(follow, prepare):
    story = follow()
    prepare(story)
    story.inactive(6, event=EVENT)
    story.beat(100)
    assert story.book.trackers.subjects == {}


def test_a_mark_from_before_it_began_holds_it_since_it_began(follow):
    story = follow()
    story.held(10)
    story.inactive(8, event=EVENT)
    assert story.since(event=EVENT) == 10


def test_one_scope_may_mark_players_and_events(follow):
    story = follow()
    story.held(10)
    story.held(10, event=501)
    story.scope(20, "a", mark(True), mark(False, event=EVENT), mark(True, 50, 501), mark(True, event=EVENT))
    assert (story.deadline(), story.deadline(EVENT), story.deadline(501)) == (50, 50, 70)
    story.beat(60)
    assert (story.window(EVENT), story.window(501)) == ((10, 20), (10, None))


def test_the_listeners_decide_about_events_too(party):
    story = party(ask=True)
    story.beat(51)
    assert (story.status(), story.state(EVENT)) == ("active", EXPIRING)
    story.decide(52, Decision.POSTPONE, of=50, postpone=20, event=EVENT)
    assert story.deadline(EVENT) == 72
    story.beat(73)
    story.decide(74, Decision.EXPIRE, of=72, event=EVENT)
    assert (story.window(), story.expired(EVENT)) == ((10, 20), [74])


def test_an_event_can_be_exempt(party):
    story = party()
    assert story.override(30, exempt=True, event=EVENT).code == "ok"
    story.beat(100)
    assert (story.status(), story.state(EVENT)) == ("active", INACTIVE)


@pytest.mark.parametrize(
    ("prepare", "code", "message"),
    [
        (lambda _: None, "not_found", "no event has the id 500"),
        (lambda it: it.make(5), "conflict", "the event is not active"),
    ],
)
def test_only_an_active_event_can_be_overridden(follow, prepare, code, message):
    story = follow()
    prepare(story)
    answer = story.override(6, exempt=True, event=EVENT)
    assert (answer.code, answer.message) == (code, message)


def test_a_tracker_that_runs_no_more_holds_no_event(party):
    story = party()
    story.known(30, "b")
    assert (story.state(EVENT), story.lines(EVENT)[-1]) == (ACTIVE, (30, "active", "a"))


def test_an_events_subject_is_not_the_players(party):
    story = party(on_expiry="disconnect")
    story.beat(60)
    assert (story.disconnected(), story.where, story.lines()) == ([], "A", [])


def test_the_next_deadline_is_its_own_or_the_trackers(follow):
    story = follow()
    story.make(5, starts_at=10, ends_at=60)
    rules = story.rules
    assert s(event_deadline(story.states[EVENT], rules)) == 10
    story.beat(11)
    assert s(event_deadline(story.states[EVENT], rules)) == 60
    story.inactive(20, event=EVENT)
    assert s(event_deadline(story.states[EVENT], rules)) == 50
    story.stop(21)
    assert event_deadline(story.states[EVENT], rules) is None


def test_whatever_its_guild_does_is_followed_up_to_its_end_when_the_deadline_shows_late(follow):
    """The first entry to show that the deadline has passed is in the same batch as what the guild did."""
    story = follow()
    story.held(10)
    story.inactive(20, event=EVENT)
    story.voice(15, "A")  # late
    story.voice(100, "A", user=2)
    assert (story.window(), story.participants()) == ((10, 20), {1})


def test_discords_own_event_that_was_abandoned_does_not_come_back(follow):
    story = follow()
    active = ScheduledEvent(EVENT, channel_of("A"), "Raid", 2, ms(10))
    story.tell(ScheduledEventChanged(ms(10), GUILD, active))
    story.inactive(20, event=EVENT)
    story.beat(60)
    story.tell(ScheduledEventChanged(ms(61), GUILD, active))
    assert (story.event().status, story.window()) == (EventStatus.ENDED, (10, 20))


def test_an_event_ends_whatever_expiry_does_to_players(follow):
    story = follow(Rules(), on_expiry="none")
    story.held(10)
    story.tell(ScopeCommitted(ms(20), "a", (mark(True, event=EVENT),)))
    story.beat(60)
    assert story.window() == (10, 20)
