"""The other bots in voice, which have sessions only where they are tracked.

The bot itself is user 999, another one 50. Times are seconds, channels letters.
"""

import pytest

from engine.domain.inputs import VoiceFlags, VoiceState
from engine.domain.rules import Rules
from engine.domain.tracker_effects import SavePlayer, SavePresence
from engine.domain.tracking import Presence
from tests.domain.story import GUILD, channel_of, ms
from tests.domain.tracker_story import OWN

DEAF = 1
BOT = 50


def bots(story):
    return story.guilds[GUILD].bots


def test_another_bot_is_where_it_is_without_a_session(follow):
    story = follow()
    story.bot(5, "A", DEAF, roles=(7,))
    assert bots(story) == {BOT: Presence(BOT, channel_of("A"), DEAF, (7,))}
    story.bot(6, "B", roles=(7,))
    assert bots(story) == {BOT: Presence(BOT, channel_of("B"), 0, (7,))}
    story.bot(7, None)
    assert (bots(story), story.book.rows) == ({}, {})


def test_a_bot_told_again_changes_nothing(follow):
    story = follow()
    story.bot(5, "A", DEAF)
    story.bot(6, "A", DEAF)
    assert story.told == []


def test_a_payload_without_the_member_is_still_that_bots(follow):
    story = follow()
    story.bot(5, "A", roles=(7,))
    story.bot(6, "B", bot=False, roles=None)
    assert bots(story) == {BOT: Presence(BOT, channel_of("B"), 0, (7,))}
    story.bot(7, None, bot=False, roles=None)
    assert (bots(story), story.book.rows) == ({}, {})


def test_a_bots_roles_are_followed(follow):
    story = follow()
    story.bot(5, "A")
    story.roles(6, 7, 8, user=BOT)
    assert bots(story)[BOT].roles == (7, 8)
    story.roles(6, 7, user=77)  # in no voice channel
    assert set(bots(story)) == {BOT}


@pytest.mark.parametrize(
    ("end", "left"),
    [
        (lambda it: it.removed(20, user=BOT), {51}),
        (lambda it: it.deleted(20, "B"), {51}),
        (lambda it: it.lost(20), set()),
    ],
    ids=["kicked", "channel deleted", "guild lost"],
)
def test_bots_go_with_what_they_were_in(follow, end, left):
    story = follow()
    story.bot(5, "B")
    story.bot(5, "C", user=51)
    end(story)
    assert set(bots(story)) == left


def test_a_snapshot_shows_who_is_there(follow, there):
    story = follow()
    story.bot(5, "B")
    story.bot(5, "C", user=51)
    own = there("A", user=OWN, bot=True)
    story.snapshot(
        10,
        own,
        there("D", user=51, bot=True),
        there("B", user=52, bot=True),
        own_user_id=OWN,
        connection="c2",
    )
    assert {user: it.channel_id for user, it in bots(story).items()} == {
        51: channel_of("D"),
        52: channel_of("B"),
    }
    assert (story.where, story.book.rows) == ("A", {})
    # A member that the snapshot does not tell of: a bot as before.
    story.snapshot(20, own, VoiceState(51, channel_of("D"), roles=None), own_user_id=OWN, connection="c3")
    assert (set(bots(story)), story.book.rows) == ({51}, {})


def test_where_bots_are_tracked_they_have_sessions_and_are_still_known_as_bots(follow):
    story = follow(Rules(track_bots=True))
    story.bot(5, "A", roles=(7,))
    assert bots(story) == {BOT: Presence(BOT, channel_of("A"), 0, (7,))}
    assert len(story.book.of(GUILD, BOT)) == 1
    story.bot(6, "B", DEAF)
    story.roles(7, 8, user=BOT)
    assert bots(story) == {BOT: Presence(BOT, channel_of("B"), DEAF, (8,))}
    assert story.guilds[GUILD].sessions[BOT].roles == (8,)
    story.bot(8, None)
    assert (bots(story), set(story.guilds[GUILD].sessions)) == ({}, {OWN})


def test_a_tracked_bot_that_a_snapshot_shows_is_known_as_one(follow, there):
    story = follow(Rules(track_bots=True))
    story.snapshot(10, there("A", user=BOT, bot=True), own_user_id=OWN, connection="c2")
    assert (set(bots(story)), set(story.guilds[GUILD].sessions)) == ({BOT}, {BOT})
    story.bot(20, "A", bot=False)  # a person after all
    assert (set(bots(story)), set(story.guilds[GUILD].sessions)) == (set(), {BOT})


def test_a_bot_that_opted_out_is_nowhere(follow):
    story = follow(Rules(opt_out=frozenset({BOT})))
    story.bot(5, "A")
    assert (bots(story), story.told) == ({}, [])


def test_who_was_taken_for_a_bot_is_a_person_from_then_on(follow):
    story = follow()
    story.bot(5, "A")
    story.bot(6, "A", bot=False)
    assert bots(story) == {}
    assert [it.joined for it in story.book.of(GUILD, BOT)] == [(ms(6), ms(6))]


def test_who_was_taken_for_a_person_is_a_bot_from_then_on(follow):
    story = follow()
    story.bot(5, "A", bot=False)
    story.bot(9, "A")
    assert set(bots(story)) == {BOT}
    assert story.book.rows == {}


def test_people_are_no_bots(follow):
    story = follow()
    story.voice(5, "A")
    story.voice(6, "B")
    assert not any(isinstance(it, SavePlayer | SavePresence) for it in story.told)
    assert bots(story) == {}


def test_a_tracked_bot_that_turns_out_a_person_begins_a_session_of_its_own(follow):
    story = follow(Rules(track_bots=True))
    story.bot(5, "A")
    story.bot(8, "A", bot=False)
    machine, person = story.book.of(GUILD, BOT)
    assert (machine.saved.session.flags, machine.left) == (VoiceFlags.BOT, (ms(8), ms(8)))
    assert (person.saved.session.flags, person.joined) == (0, (ms(8), ms(8)))
