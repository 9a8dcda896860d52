"""What listeners decide about a passed deadline, what is different for one subject, and other rules."""

from msgspec.structs import replace

from engine.domain.inactivity import next_at, why
from engine.domain.tracking import Decision, Mark, Override, Subject, SubjectKind, SubjectState
from tests.domain.story import GUILD
from tests.domain.tracker_story import tracking

ACTIVE, SUSPECTED, INACTIVE, EXPIRING, EXPIRED = SubjectState
EXPIRE, POSTPONE, IGNORE = Decision


def test_a_decision_is_asked_before_the_effect_and_may_let_it_happen(follow):
    story = follow(ask=True)
    story.inactive(0)
    story.beat(31)
    assert (story.lines()[-1], story.disconnected()) == ((30, "expiring"), [])
    story.decide(33, EXPIRE, of=30)
    assert (story.lines()[-1], story.disconnected()) == ((33, "inactive"), [(33, "A")])


def test_nobody_decides_in_time(follow):
    story = follow(ask=True, ask_within=10)
    story.inactive(0)
    story.decide(45, IGNORE, of=30)
    assert story.lines()[2:] == [(30, "expiring"), (40, "inactive")]
    assert story.edges()[-1].cause == "nobody decided in time"


def test_postponed_it_has_that_long_from_the_decision_on(follow):
    story = follow(ask=True)
    story.inactive(0)
    story.decide(33, POSTPONE, of=30, postpone=60)
    assert (story.state(), story.deadline()) == (INACTIVE, 93)
    story.decide(95, POSTPONE, of=93, postpone=5)
    assert story.deadline() == 100
    story.beat(120)
    assert story.lines()[2:] == [(30, "expiring"), (93, "expiring"), (100, "expiring"), (110, "inactive")]


def test_a_postponement_ends_when_it_is_active_again(follow):
    story = follow(ask=True)
    story.inactive(0)
    story.decide(30, POSTPONE, of=30, postpone=60)
    story.active(40)
    story.inactive(50)
    assert story.deadline() == 80


def test_ignored_it_is_left_alone_until_it_was_active(follow):
    story = follow(ask=True)
    story.inactive(0)
    story.decide(31, IGNORE, of=30)
    story.inactive(40, "b")
    story.active(50, "a")
    assert (story.state(), story.deadline()) == (INACTIVE, None)
    story.active(60, "b")
    story.inactive(61)
    assert story.deadline() == 91


def test_a_decision_about_another_deadline_is_none(follow):
    story = follow(ask=True)
    story.inactive(0)
    story.decide(33, POSTPONE, of=30, postpone=60)
    story.beat(94)
    story.decide(95, EXPIRE, of=30)
    assert story.state() is EXPIRING


def test_a_decision_that_nobody_asked_for_is_none(follow):
    story = follow(ask=True)
    story.inactive(0)
    story.decide(20, EXPIRE, of=30)
    assert (story.state(), story.expired()) == (INACTIVE, [])


def test_active_again_while_a_decision_is_awaited_there_is_nothing_to_decide(follow):
    story = follow(ask=True)
    story.inactive(0)
    story.active(33)
    story.decide(34, EXPIRE, of=30)
    story.beat(60)
    assert (story.state(), story.expired()) == (ACTIVE, [])


def test_a_deadline_that_moves_on_while_a_decision_is_awaited_calls_it_off(follow):
    story = follow(ask=True)
    story.inactive(0, "a", 30)
    story.inactive(10, "b", 60)
    story.active(33, "a")
    assert (story.state(), story.deadline()) == (INACTIVE, 70)
    story.beat(80)
    assert [it[:2] for it in story.lines()[-2:]] == [(70, "expiring"), (80, "inactive")]


def test_polled_while_a_decision_is_awaited_it_is_still_awaited(follow):
    story = follow(ask=True)
    for at in range(0, 45, 5):
        story.inactive(at)
    assert story.lines()[2:] == [(30, "expiring"), (40, "inactive")]


# Overrides and exemptions.


def test_an_exempt_player_is_inactive_without_a_deadline(follow):
    story = follow()
    assert story.override(0, exempt=True).code == "ok"
    assert story.state() is ACTIVE
    story.inactive(1)
    story.beat(100)
    assert (story.state(), story.deadline(), story.expired()) == (INACTIVE, None, [])
    story.override(101)  # nothing set: the end of it
    assert story.expired() == [101]


def test_an_override_of_the_timeout_counts_from_since_too_and_goes_over_the_marks_own(follow):
    story = follow()
    story.inactive(0, timeout=10)
    story.override(5, timeout=100)
    assert story.deadline() == 100
    story.override(50, timeout=20)
    assert story.expired() == [50]


def test_exempted_while_a_decision_is_awaited_it_stays(follow):
    story = follow(ask=True)
    story.inactive(0)
    story.override(31, exempt=True)
    story.beat(100)
    assert (story.state(), story.expired()) == (INACTIVE, [])


def test_an_override_names_the_only_trackers_that_count(follow):
    story = follow(mode_all=True)
    story.override(0, trackers=("a", "b"))
    story.inactive(1, "a")
    story.inactive(2, "c")
    assert (story.state(), why(story.subject(), story.rules.tracking)) == (
        SUSPECTED,
        "held inactive by a, not by b",
    )
    story.inactive(3, "b")
    assert story.deadline() == 33


def test_an_override_with_a_tracker_nobody_configured_is_refused(follow):
    answer = follow().override(0, trackers=("a", "ghost"))
    assert (answer.code, answer.field, answer.message) == (
        "invalid",
        "trackers",
        "no tracker is called 'ghost'",
    )


def test_without_a_player_there_is_nothing_to_override(follow):
    answer = follow(channel=None).override(0, exempt=True)
    assert (answer.code, answer.message) == ("conflict", "the bot is in no voice channel there")


def test_the_configurations_override_holds_until_one_at_run_time(follow):
    story = follow(overrides={GUILD: Override(timeout_ms=5_000)})
    story.inactive(0)
    assert story.deadline() == 5
    story.override(1, timeout=60)
    assert story.deadline() == 60
    story.override(2)
    assert story.deadline() == 5


# After a restart under other rules.


def test_other_rules_are_taken_when_the_trackers_are_told_not_before(follow):
    story = follow()
    story.inactive(0)
    story.rules = replace(story.rules, tracking=tracking(default_timeout=100))
    story.beat(10)
    assert story.deadline() == 30
    story.known(11, "a", "b", "c")
    assert story.deadline() == 100
    story.rules = replace(story.rules, tracking=tracking())  # as it is told again
    story.known(12, "a", "b", "c")
    assert story.deadline() == 30


def test_a_decision_is_awaited_no_longer_though_the_rules_ask_for_none_any_more():
    asked = Subject(SubjectKind.PLAYER, GUILD, EXPIRING, {"a": Mark(0)}, deadline=30_000, asked_at=30_000)
    assert next_at(asked, tracking()) == 40_000


def test_what_stands_where_is_said_in_words(follow):
    story = follow()
    rules = story.rules.tracking
    assert why(story.subject(), rules) == "no tracker holds it inactive"
    story.inactive(0, "b")
    story.inactive(0, "a")
    assert why(story.subject(), rules) == "held inactive by a, b"
    story.override(1, exempt=True)
    assert why(story.subject(), rules) == "exempt"
