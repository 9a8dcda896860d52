"""The guild's player, what whoever plays tells of it, and the other bots in voice.

The bot is user 999; times are seconds, channels letters.
"""

import pytest

from engine.domain.rules import Rules
from engine.domain.tracker_effects import SavePlayer
from engine.domain.tracking import Decision, PlayerState, SubjectState
from tests.domain.story import GUILD, ms
from tests.domain.tracker_story import OWN

IDLE, PLAYING, PAUSED = PlayerState
DEAF = 1
BOT = 50


@pytest.fixture
def empty(follow):
    """A guild that is watched, and the bot in no channel."""
    return follow(channel=None)


def test_the_bots_own_voice_state_makes_the_player(empty):
    assert empty.player is None
    empty.own(5, "A")
    assert (empty.where, empty.player.since, empty.player.state) == ("A", ms(5), IDLE)


def test_told_again_it_changes_nothing(empty):
    empty.own(5, "A")
    empty.own(6, "A", flags=DEAF)
    assert (empty.told, empty.player.since) == ([], ms(5))


def test_its_payload_need_not_say_that_it_is_a_bot(empty):
    empty.own(5, "A", bot=False)
    empty.own(6, "A", bot=False, roles=None)
    assert (empty.where, empty.book.rows, empty.book.trackers.bots) == ("A", {}, {})


def test_moved_it_is_the_same_player(empty):
    empty.own(5, "A")
    empty.report(6, PLAYING)
    empty.own(7, "B")
    assert (empty.where, empty.player.since, empty.player.state) == ("B", ms(5), PLAYING)


@pytest.mark.parametrize(
    "end",
    [
        lambda it: it.own(20, None),
        lambda it: it.removed(20, user=OWN),
        lambda it: it.deleted(20, "A"),
        lambda it: it.lost(20),
        lambda it: it.snapshot(20, own_user_id=OWN, connection="c2"),
        lambda it: it.snapshot(20, own_user_id=None, connection="c2"),
    ],
    ids=["leaves", "kicked", "channel deleted", "guild lost", "gone after a gap", "own id unknown"],
)
def test_its_end_forgets_all_that_was_said_of_it(follow, end):
    story = follow()
    story.report(5, PAUSED)
    story.inactive(6)
    end(story)
    assert (story.player, story.guilds[GUILD].subject) == (None, None)
    trackers = story.book.trackers
    assert (trackers.players, trackers.subjects, trackers.wakes) == ({}, {}, {GUILD: None})
    story.snapshot(30, own_user_id=OWN, connection="c3")
    story.own(31, "A")
    assert (story.player.since, story.player.state, story.state()) == (ms(31), IDLE, SubjectState.ACTIVE)


def test_another_channels_deletion_and_an_outage_are_nothing_to_it(follow):
    story = follow()
    story.deleted(5, "B")
    story.unavailable(6)
    assert story.where == "A"


def test_a_snapshot_shows_where_it_is(follow, there):
    story = follow(channel=None)
    here = there("B", user=OWN, bot=True)
    story.snapshot(10, here, own_user_id=OWN, connection="c2")
    assert (story.where, story.player.since) == ("B", ms(10))
    story.snapshot(20, there("C", user=OWN, bot=True), own_user_id=OWN, connection="c3")
    assert (story.where, story.player.since) == ("C", ms(10))
    assert story.book.rows == {}


def test_the_first_snapshot_that_tells_who_we_are_makes_a_player_of_what_was_another_bot(hold, there):
    story = hold()
    story.snapshot(0, there("A", user=OWN, bot=True))
    assert story.guilds[GUILD].player is None
    assert set(story.guilds[GUILD].bots) == {OWN}
    story.snapshot(9, there("A", user=OWN, bot=True), own_user_id=OWN, connection="c2")
    assert story.guilds[GUILD].player.since == ms(9)
    assert story.guilds[GUILD].bots == {}


def test_where_bots_are_tracked_the_player_has_a_session_too(follow):
    story = follow(Rules(track_bots=True))
    story.own(5, None)
    assert [it.saved.left_at for it in story.book.of(GUILD, OWN)] == [ms(5)]
    assert story.player is None


# What whoever plays tells.


def test_a_reported_state_stands_until_the_next(follow):
    story = follow()
    for at, state in enumerate((PLAYING, PAUSED, IDLE)):
        assert story.report(at, state).code == "ok"
        assert story.player.state is state
    story.report(9, IDLE)
    assert not any(isinstance(it, SavePlayer) for it in story.told)


def test_a_report_on_no_player_is_refused(empty):
    answer = empty.report(5, PLAYING)
    assert (answer.code, answer.message) == ("conflict", "the bot is in no voice channel there")


# Pausing.


@pytest.fixture
def music(follow):
    """A player that plays, under rules that have it paused while inactive."""
    story = follow(pause=True)
    story.report(0, PLAYING)
    return story


def told_of(story):
    return [(at, what) for at, what, *_ in story.lines() if what in ("pause", "resume")]


def test_inactive_it_is_paused_and_active_again_resumed(music):
    music.inactive(5)
    assert music.player.paused_by_us
    music.report(6, PAUSED)
    assert (music.player.state, music.player.paused_by_us) == (PAUSED, True)
    music.active(10)
    assert told_of(music) == [(5, "pause"), (10, "resume")]
    # At once: nobody is to read the pause as idleness until it is reported.
    assert (music.player.state, music.player.paused_by_us) == (PLAYING, False)


def test_active_again_before_the_pause_was_reported_it_is_resumed_all_the_same(music):
    music.inactive(5)
    music.active(5.1)
    assert told_of(music) == [(5, "pause"), (5.1, "resume")]


def test_told_playing_from_before_the_pause_it_is_still_ours(music):
    music.inactive(5)
    music.report(5.1, PLAYING)
    music.report(5.2, PAUSED)
    assert music.player.paused_by_us


def test_resumed_by_others_it_is_theirs(music):
    music.inactive(5)
    music.report(6, PAUSED)
    music.report(7, PLAYING)
    assert not music.player.paused_by_us
    music.report(8, PAUSED)
    music.active(10)
    assert told_of(music) == [(5, "pause")]


def test_what_has_ended_meanwhile_is_not_resumed(music):
    music.inactive(5)
    music.report(6, IDLE)
    music.active(10)
    assert told_of(music) == [(5, "pause")]


@pytest.mark.parametrize("state", [IDLE, PAUSED])
def test_what_does_not_play_is_not_paused(follow, state):
    """The reference pauses whatever is not paused, playing or not."""
    story = follow(pause=True)
    story.report(0, state)
    story.inactive(5)
    story.active(10)
    assert told_of(story) == []


def test_nothing_is_paused_unless_so_configured(follow):
    story = follow()
    story.report(0, PLAYING)
    story.inactive(5)
    assert told_of(story) == []


def test_where_all_must_agree_it_is_paused_when_they_do_and_resumed_when_they_do_not(follow):
    """The reference pauses at the first."""
    story = follow(pause=True, mode_all=True, trackers=("a", "b"))
    story.report(0, PLAYING)
    story.inactive(5, "a")
    story.inactive(6, "b")
    story.active(7, "b")
    story.inactive(8, "b")
    assert told_of(story) == [(6, "pause"), (7, "resume"), (8, "pause")]


def test_it_is_paused_once_however_many_report_and_whatever_is_decided(follow):
    story = follow(pause=True, ask=True)
    story.report(0, PLAYING)
    story.inactive(5, "a")
    story.inactive(6, "b")
    story.report(7, PAUSED)
    story.report(8, PLAYING)
    story.decide(36, Decision.POSTPONE, of=35, postpone=60)
    assert told_of(story) == [(5, "pause")]


def test_the_transition_tells_where_the_subject_stands(music):
    music.inactive(5)
    pause = music.edges()[-1]
    assert (pause.state, pause.deadline) == (SubjectState.INACTIVE, ms(35))


def test_another_player_is_not_resumed_for_the_former_ones_pause(music):
    music.inactive(5)
    music.report(6, PAUSED)
    music.own(7, None)
    music.own(8, "A")
    music.report(8, PAUSED)
    music.inactive(9)
    music.active(10)
    assert told_of(music) == [(5, "pause")]


@pytest.mark.parametrize(
    ("on_expiry", "disconnected", "noted"),
    [("disconnect", [(35, "A")], []), ("notify", [], [(35, "A")]), ("none", [], [])],
)
def test_what_expiry_does_is_configured(follow, on_expiry, disconnected, noted):
    story = follow(on_expiry=on_expiry)
    story.inactive(5)
    story.beat(40)
    assert (story.disconnected(), story.noted()) == (disconnected, noted)
    assert story.expired() == [35]  # told in any case


def test_a_player_that_expires_again_is_noted_again(follow):
    story = follow(on_expiry="notify")
    story.inactive(5)
    story.beat(40)
    story.active(41)
    story.inactive(42)
    story.beat(80)
    assert story.noted() == [(35, "A"), (72, "A")]


def test_two_players_of_a_guild_are_disconnected_each_once(follow):
    story = follow()
    story.inactive(5)
    story.own(40, None)
    story.own(41, "A")
    story.inactive(42)
    story.beat(80)
    assert story.disconnected() == [(35, "A"), (72, "A")]
