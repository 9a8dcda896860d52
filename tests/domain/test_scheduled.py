"""Discord's own scheduled events, mirrored in time and status. Times are seconds: see ``EventStory``."""

import pytest

from engine.domain.event_inputs import (
    ScheduledEvent,
    ScheduledEventChanged,
    ScheduledEventGone,
    ScheduledStatus,
)
from engine.domain.events import Policy
from engine.domain.rules import EventRules
from tests.domain.event_story import letters
from tests.domain.story import GUILD, channel_of, ms

TALK = 600
SCHEDULED, ACTIVE, COMPLETED, CANCELED = ScheduledStatus


def talk(status=SCHEDULED, channel="A", name="Talk", starts=20, ends=None):
    return ScheduledEvent(TALK, channel_of(channel), name, status, ms(starts), ms(ends))


@pytest.fixture
def told(evening):
    """``told(at, ...)``: Discord tells of the talk; see ``talk``."""

    def tell(at, status=SCHEDULED, *, lost=None, **fields):
        evening.tell(ScheduledEventChanged(ms(at), GUILD, talk(status, **fields), ms(lost)))

    return tell


def gone(evening, at):
    evening.tell(ScheduledEventGone(ms(at), GUILD, TALK))


def test_one_that_is_created_is_scheduled(evening, told):
    told(5, name="Talk", starts=20, ends=40)
    it = evening.event(TALK)
    assert (evening.status(TALK), it.name, letters(it.channel_ids)) == ("scheduled", "Talk", "A")
    assert (it.starts_at, it.ends_at) == (ms(20), ms(40))
    assert (it.source, it.discord_event_id) == ("discord", TALK)


def test_it_is_made_by_the_rules(hold):
    rules = EventRules(7_000, 0.25, match_all=True, policy=Policy(count_alone=False))
    evening = hold(events=rules)
    evening.tell(ScheduledEventChanged(ms(5), GUILD, talk()))
    it = evening.event(TALK)
    assert (it.min_duration_ms, it.min_share, it.match_all) == (7_000, 0.25, True)
    assert it.policy == Policy(count_alone=False)


def test_where_the_rules_say_so_it_is_not_mirrored(hold):
    evening = hold(events=EventRules(discord_events=False))
    evening.tell(ScheduledEventChanged(ms(5), GUILD, talk()))
    assert evening.events.events == {}


def test_its_times_pass_without_discords_word(evening, told):
    """Discord's events begin and end when somebody begins and ends them."""
    told(5, starts=20, ends=40)
    evening.beat(50)
    assert evening.status(TALK) == "scheduled"
    told(51, ACTIVE, starts=20, ends=40)
    evening.beat(60)
    assert (evening.status(TALK), evening.window(TALK)) == ("active", (51, None))


def test_start_and_completion_are_followed(evening, told):
    evening.voice(2, "A")
    told(5)
    told(22, ACTIVE)
    assert evening.cached(event=TALK) == (22, None, 0)
    told(35, COMPLETED)
    assert (evening.status(TALK), evening.window(TALK)) == ("ended", (22, 35))
    assert evening.time(event=TALK) == {"counted": 13}
    evening.beat(36)
    assert evening.badges(TALK) == {1}


@pytest.mark.parametrize("running", [False, True])
def test_cancelling_is_followed(evening, told, running):
    told(5, ACTIVE if running else SCHEDULED)
    told(10, CANCELED)
    assert evening.status(TALK) == "cancelled"


def test_one_that_is_completed_without_a_start_is_cancelled(evening, told):
    told(5)
    told(10, COMPLETED)
    assert (evening.status(TALK), evening.window(TALK)) == ("cancelled", (None, None))


@pytest.mark.parametrize("status", [COMPLETED, CANCELED])
def test_one_that_was_over_before_we_heard_of_it_is_none_of_ours(evening, told, status):
    told(5, status)
    assert evening.events.events == {}


def test_one_that_is_deleted_ends_or_is_cancelled(evening, told):
    told(5, ACTIVE)
    gone(evening, 12)
    assert (evening.status(TALK), evening.window(TALK)) == ("ended", (5, 12))
    evening.tell(ScheduledEventChanged(ms(13), GUILD, ScheduledEvent(601, channel_of("A"), "", 1, ms(20))))
    evening.tell(ScheduledEventGone(ms(14), GUILD, 601))
    assert evening.status(601) == "cancelled"
    evening.tell(ScheduledEventGone(ms(15), GUILD, 777))
    assert 777 not in evening.events.events


def test_an_update_moves_it_to_another_channel_and_name(evening, told):
    evening.voice(2, "A")
    evening.voice(3, "B", user=2)
    told(5, ACTIVE)
    told(10, ACTIVE, channel="B", name="Concert", ends=40)
    it = evening.event(TALK)
    assert (it.name, letters(it.channel_ids), it.ends_at) == ("Concert", "B", ms(40))
    assert it.updated_at == ms(10)
    assert evening.participants(TALK) == {2}
    assert evening.time(2, TALK) == {"counted": 5}


def test_one_told_again_changes_nothing(evening, told):
    told(5, ACTIVE)
    before = evening.event(TALK)
    told(10, ACTIVE)
    assert evening.event(TALK) == before


def test_what_is_over_stays_over(evening, told):
    told(5, ACTIVE)
    told(10, COMPLETED)
    told(12, ACTIVE)
    assert evening.window(TALK) == (5, 10)


def test_a_start_that_a_resume_replays_was_when_the_connection_was_lost(evening, told):
    """Members are given the time that may have been."""
    evening.voice(2, "A")
    told(5)
    told(30, ACTIVE, lost=22)
    told(50, COMPLETED, lost=42)
    assert evening.window(TALK) == (22, 50)
    assert evening.time(event=TALK) == {"counted": 28}


def test_the_end_of_its_channel_is_its_end(evening, told):
    evening.voice(2, "A")
    told(5, ACTIVE)
    evening.held(6, "A", event=500)
    evening.deleted(15, "A")
    assert (evening.status(TALK), evening.window(TALK)) == ("ended", (5, 15))
    assert evening.time(event=TALK) == {"counted": 10}
    assert evening.status(500) == "active"


def test_a_patch_of_its_rules_is_kept_when_discord_tells_more(evening, told):
    told(5, ACTIVE)
    assert evening.change(6, event=TALK, seconds=9).code == "ok"
    told(10, ACTIVE, name="Concert")
    assert evening.event(TALK).min_duration_ms == 9_000


class TestSnapshot:
    """What a new connection shows is compared with what is known."""

    def show(self, evening, at, *events):
        evening.beat(at, connection=f"c{at}")
        evening.snapshot(at, connection=f"c{at}", scheduled_events=events)

    def test_it_shows_new_ones(self, evening):
        self.show(evening, 5, talk(ACTIVE))
        assert (evening.status(TALK), evening.window(TALK)) == ("active", (5, None))

    def test_one_that_was_to_begin_meanwhile_began_when_it_was_to(self, evening, told):
        told(5, starts=20)
        self.show(evening, 30, talk(ACTIVE, starts=20))
        assert evening.window(TALK) == (20, None)

    def test_one_that_is_there_no_more_has_ended(self, evening, told):
        told(5, ACTIVE)
        self.show(evening, 30)
        assert (evening.status(TALK), evening.window(TALK)) == ("ended", (5, 30))

    def test_one_that_never_began_and_is_there_no_more_is_cancelled(self, evening, told):
        told(5)
        self.show(evening, 30)
        assert evening.status(TALK) == "cancelled"

    def test_one_that_is_as_known_goes_on(self, evening, told):
        told(5, ACTIVE)
        before = evening.event(TALK)
        self.show(evening, 30, talk(ACTIVE))
        assert evening.event(TALK) == before

    def test_ours_are_no_business_of_discords(self, evening):
        evening.held(5, event=500)
        self.show(evening, 30)
        assert evening.status(500) == "active"

    def test_one_that_tells_nothing_of_events_ends_none(self, evening, told):
        told(5, ACTIVE)
        evening.snapshot(30)
        assert evening.status(TALK) == "active"
