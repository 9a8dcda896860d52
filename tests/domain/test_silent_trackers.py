"""Where all trackers must agree, one that does not run has no vote (``inactivity``). Times are seconds."""

import pytest

from engine.domain.inactivity import why
from engine.domain.rules import TrackingRules
from engine.domain.tracker_inputs import ScopeCommitted
from engine.domain.tracking import Override, SubjectState
from tests.domain.story import GUILD, ms
from tests.domain.tracker_story import mark

ACTIVE, SUSPECTED, INACTIVE, EXPIRING, EXPIRED = SubjectState
EVENT = 500


@pytest.fixture
def unanimous(follow):
    def begin(**rules):
        return follow(mode_all=True, trackers=("a", "b", "c"), **rules)

    return begin


def silence(story, at, tracker, *silent):
    """Commit a mark as a runtime does that knows of trackers that do not run: (label, since)."""
    told = tuple((label, ms(since)) for label, since in silent)
    story.tell(ScopeCommitted(ms(at), tracker, (mark(True),), told))


# What is said, until 20 s; the state then, and the deadline.
CASES = {
    "all speak: none is missed": (
        lambda it: [it.inactive(1, "a"), it.inactive(2, "b"), it.inactive(3, "c")],
        INACTIVE,
        33,
    ),
    "one who runs has not spoken: it is awaited": (
        lambda it: [it.inactive(1, "a"), it.inactive(2, "b")],
        SUSPECTED,
        None,
    ),
    "that one dies: from then on the rest decides": (
        lambda it: [it.inactive(1, "a"), it.inactive(2, "b"), it.known(9, "a", "b")],
        INACTIVE,
        39,
    ),
    "one dies that had spoken: the rest's word counts from its death": (
        lambda it: [it.inactive(1, "a"), it.inactive(2, "b"), it.inactive(3, "c"), it.known(9, "a", "b")],
        INACTIVE,
        39,
    ),
    "one died long before: the last mark counts": (
        lambda it: [it.inactive(1, "a"), it.known(4, "a", "b"), it.inactive(9, "b")],
        INACTIVE,
        39,
    ),
    "it is back: it is awaited again": (
        lambda it: [
            it.inactive(1, "a"),
            it.inactive(2, "b"),
            it.known(9, "a", "b"),
            it.known(11, "a", "b", "c"),
        ],
        SUSPECTED,
        None,
    ),
    "it is back and agrees: from then on": (
        lambda it: [
            it.inactive(1, "a"),
            it.inactive(2, "b"),
            it.known(9, "a", "b"),
            it.known(11, "a", "b", "c"),
            it.inactive(12, "c"),
        ],
        INACTIVE,
        42,
    ),
    "told again that it does not run: since the first time": (
        lambda it: [it.inactive(1, "a"), it.known(4, "a"), it.known(9, "a", "b"), it.inactive(10, "b")],
        INACTIVE,
        40,
    ),
    "two die: the last death counts": (
        lambda it: [it.inactive(1, "a"), it.known(4, "a", "b"), it.known(9, "a")],
        INACTIVE,
        39,
    ),
    "nobody runs: nobody decides": (
        lambda it: [it.inactive(1, "a"), it.inactive(2, "b"), it.known(9)],
        ACTIVE,
        None,
    ),
}


@pytest.mark.parametrize(("tell", "state", "deadline"), CASES.values(), ids=CASES)
def test_one_that_does_not_run_has_no_vote(unanimous, tell, state, deadline):
    story = unanimous()
    tell(story)
    assert (story.state(), story.deadline()) == (state, deadline)


def test_who_comes_after_it_died_learns_that_from_the_first_mark(unanimous):
    story = unanimous()
    story.own(5, None)
    story.known(6, "a", "b")
    story.own(7, "A")
    story.inactive(8, "a")
    assert (story.state(), story.subject().silent) == (SUSPECTED, {"c": ms(6)})
    story.inactive(9, "b")
    assert (story.state(), story.deadline()) == (INACTIVE, 39)


def test_a_scope_tells_too_that_it_is_back(unanimous):
    story = unanimous()
    silence(story, 8, "a", ("b", 6), ("c", 6))
    assert (story.state(), story.deadline()) == (INACTIVE, 38)
    silence(story, 9, "a", ("b", 6))
    assert (story.state(), story.deadline()) == (SUSPECTED, None)


def test_where_any_may_speak_silence_means_nothing(follow):
    story = follow(trackers=("a", "b"))
    silence(story, 5, "a", ("b", 4))
    story.known(9, "a")
    assert (story.deadline(), story.subject().silent) == (35, {})


def test_silence_is_forgotten_with_the_last_mark(unanimous):
    story = unanimous()
    silence(story, 5, "a", ("b", 4))
    story.active(6, "a")
    assert (story.state(), story.subject().silent) == (ACTIVE, {})


def test_of_those_that_an_override_names_only_who_runs_is_asked(unanimous):
    story = unanimous(overrides={GUILD: Override(trackers=("a", "b"))})
    story.inactive(1, "a")
    story.known(5, "a", "b")  # c has no vote anyhow
    assert story.state() is SUSPECTED
    story.known(9, "a")
    assert (story.state(), story.deadline()) == (INACTIVE, 39)


def test_an_event_is_abandoned_as_of_when_the_last_other_fell_silent(unanimous):
    story = unanimous()
    story.held(2)
    story.inactive(3, "a", event=EVENT)
    story.inactive(4, "b", event=EVENT)
    story.known(9, "a", "b")
    story.beat(60)
    assert (story.window(), story.expired(EVENT)) == ((2, 9), [39])


def test_why_names_who_is_not_asked(unanimous):
    story = unanimous()
    story.inactive(1, "a")
    story.known(9, "a", "b")
    rules = TrackingRules(trackers=("a", "b", "c"), mode_all=True)
    assert why(story.subject(), rules) == "held inactive by a, not by b; not asked, as it does not run: c"
