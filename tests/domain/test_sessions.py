"""Rules 1 to 5 of voice sessions, case by case. Times are seconds, channels letters: see ``Story``."""

import pytest

from engine.domain.effects import PostMessage, SaveGuild, SettleOutbox, Status
from engine.domain.inputs import ChannelChanged, GuildChanged, OutboxOutcome
from engine.domain.rules import CREATION_MEMORY_MS
from tests.domain.ingest import GUILDS, START

GUILD = GUILDS[0]
DEAF, MUTE = 2, 8


def test_a_session_opens_on_join_and_closes_on_leave(story):
    story.voice(1, "A")
    assert story.stays() == [("A", 1, None)]
    story.voice(61.25, None)
    assert story.stays() == [("A", 1, 61.25)]
    assert story.rows()[0].saved.status is Status.COMPLETED


def test_a_move_ends_one_session_and_begins_the_next_at_the_same_moment(story):
    story.voice(1, "A")
    story.voice(5, "B")
    assert story.stays() == [("A", 1, 5), ("B", 5, None)]


def test_a_leave_of_somebody_who_is_not_there_changes_nothing(story):
    assert story.voice(1, None) == []
    assert story.removed(1) == []


@pytest.mark.parametrize("track_bots", [False, True])
def test_bots_are_tracked_only_where_configured(tell, track_bots):
    story = tell(track_bots=track_bots)
    story.voice(1, "A", bot=True)
    story.voice(9, None, bot=True)
    assert len(story.rows()) == track_bots


def test_who_turns_out_to_be_a_bot_was_never_there(story, there):
    story.voice(1, "A")
    story.voice(5, "A", MUTE, bot=True)
    story.voice(1, "A", user=2)
    story.snapshot(9, there("A", user=2, bot=True))
    assert story.rows(1) == story.rows(2) == []


def test_a_deleted_channel_ends_the_sessions_inside_without_any_voice_update(story):
    story.voice(1, "A", user=1)
    story.voice(1, "A", user=2)
    story.voice(1, "B", user=3)
    story.deleted(9, "A")
    assert story.stays(1) == story.stays(2) == [("A", 1, 9)]
    assert story.stays(3) == [("B", 1, None)]
    assert story.voice(9.1, None, user=1) == []  # if Discord does send one, nothing is left to do


def test_a_removed_member_leaves_without_any_voice_update(story):
    story.voice(1, "A")
    story.removed(7)
    assert story.stays() == [("A", 1, 7)]


def test_a_lost_guild_cancels_its_open_sessions_at_that_time(story):
    story.voice(1, "A", user=1)
    story.voice(1, "B", user=2)
    story.voice(3, None, user=2)
    story.lost(8)
    assert story.stays(1) == [("A", 1, 8)]
    assert [row.saved.status for row in story.rows(1) + story.rows(2)] == [Status.CANCELLED, Status.COMPLETED]
    assert story.state.present is False
    assert story.windows(1) == [((1, 1), (8, 8))]


@pytest.mark.parametrize("end", ["leave", "move", "delete", "remove", "lose"])
@pytest.mark.parametrize(("length", "rows"), [(0, 0), (0.999, 0), (1, 1)])
def test_a_session_below_the_minimum_leaves_no_row_however_it_ends(story, end, length, rows):
    story.voice(10, "A", user=1)
    at = 10 + length
    {
        "leave": lambda: story.voice(at, None),
        "move": lambda: story.voice(at, "B"),
        "delete": lambda: story.deleted(at, "A"),
        "remove": lambda: story.removed(at),
        "lose": lambda: story.lost(at),
    }[end]()
    assert [it for it in story.stays() if it[0] == "A"] == [("A", 10, at)] * rows


def test_a_dropped_session_takes_its_spans_along(story):
    story.voice(10, "A")
    story.voice(10.3, "A", MUTE)
    story.voice(10.6, None)
    assert story.book.rows == {}


def test_moves_chain_sessions_and_each_knows_the_one_before(story):
    for at, channel in enumerate("ABC"):
        story.voice(10 * at, channel)
    a, b, c = (row.saved.session for row in story.rows())
    assert [it.chain_at for it in (a, b, c)] == [a.joined_at] * 3
    assert [it.previous_at for it in (a, b, c)] == [None, a.joined_at, b.joined_at]


def test_a_chain_runs_through_sessions_too_short_for_a_row(story):
    story.voice(0, "A")
    story.voice(10, "B")
    story.voice(10.3, "C")
    story.voice(10.6, "D")
    a, d = (row.saved.session for row in story.rows())
    assert (d.chain_at, d.previous_at) == (a.joined_at, a.joined_at)


def test_a_chain_whose_first_session_is_too_short_begins_with_the_next(story):
    story.voice(0, "A")
    story.voice(0.5, "B")
    story.voice(10, "C")
    b, c = (row.saved.session for row in story.rows())
    assert (b.chain_at, b.previous_at) == (b.joined_at, None)
    assert (c.chain_at, c.previous_at) == (b.joined_at, b.joined_at)


def test_a_leave_ends_the_chain(story):
    story.voice(0, "A")
    story.voice(5, None)
    story.voice(5, "B")
    _, b = (row.saved.session for row in story.rows())
    assert (b.chain_at, b.previous_at) == (b.joined_at, None)


@pytest.mark.parametrize(("after", "marked"), [(0, True), (10, True), (10.001, False)])
def test_a_move_into_a_channel_created_in_the_last_ten_seconds_is_marked(story, after, marked):
    story.voice(0, "A")
    story.created(20, "N")
    story.voice(20 + after, "N")
    assert [row.saved.session.via_channel_creation for row in story.rows()] == [False, marked]
    story.voice(40, "N", MUTE)
    assert story.rows()[-1].saved.session.via_channel_creation is marked


def test_a_plain_join_into_a_new_channel_is_not_marked(story):
    story.created(0, "N")
    story.voice(1, "N")
    assert not story.rows()[0].saved.session.via_channel_creation


def test_several_channel_creations_in_a_row_each_mark_their_own_move(story):
    for user in (1, 2, 3):
        story.voice(0, "A", user=user)
    for at, channel in ((10, "X"), (10.1, "Y"), (10.2, "Z")):
        story.created(at, channel)
    for user, channel in ((1, "X"), (2, "Y"), (3, "Z")):
        story.voice(10.5, channel, user=user)
        assert story.stays(user) == [("A", 0, 10.5), (channel, 10.5, None)]
        assert story.rows(user)[-1].saved.session.via_channel_creation


def test_join_to_create_keeps_one_row_and_its_mark_though_the_lobby_was_a_moment(story):
    story.voice(10, "A")
    story.created(10.2, "N")
    story.voice(10.4, "N")
    (row,) = story.rows()
    assert story.stays() == [("N", 10.4, None)]
    assert row.saved.session.via_channel_creation


@pytest.mark.parametrize("flag", [1, 2, 4, 8, 16])
def test_each_flag_cuts_a_span(story, flag):
    story.voice(0, "A")
    story.voice(3, "A", flag)
    story.voice(5, "A")
    story.voice(9, None)
    assert story.spans() == [(0, 3, 0), (3, 5, flag), (5, 9, 0)]


def test_a_repeated_update_changes_nothing(story):
    story.voice(0, "A", MUTE)
    before = story.state
    assert story.voice(3, "A", MUTE) == []
    assert story.state == before


def test_another_gateway_session_in_the_same_channel_continues_the_session(story):
    story.voice(0, "A", MUTE)
    story.voice(5, "A", MUTE, gateway_session_id="s2")
    story.voice(9, None)
    assert story.stays() == [("A", 0, 9)]
    assert story.spans() == [(0, 9, MUTE)]
    assert story.rows()[0].saved.session.gateway_session_id == "s2"


def test_two_sessions_may_touch_but_a_rejoin_never_overlaps(story):
    story.voice(0, "A")
    story.voice(5, None)
    story.voice(5, "A")
    assert story.stays() == [("A", 0, 5), ("A", 5, None)]


def test_the_afk_channel_and_the_name_are_known(story):
    story.snapshot(0, name="Port", afk_channel_id=7)
    story.tell(GuildChanged(START + 1, GUILD, "Harbour", 8))
    saved = story.book.guilds[GUILD]
    assert (saved.name, saved.afk_channel_id, saved.present) == ("Harbour", 8, True)
    assert isinstance(saved, SaveGuild)


def test_channels_keep_the_moment_of_their_creation_when_renamed(story):
    story.created(3, "N")
    story.tell(ChannelChanged(START + 4_000, GUILD, next(iter(story.state.created)), "New name"))
    assert list(story.book.channels.values()) == [START + 3_000]


def test_an_outbox_outcome_is_noted(story):
    story.tell(OutboxOutcome(START, GUILD, "gap-1", True, ""))
    assert story.book.settled == {"gap-1": SettleOutbox("gap-1", True, "", START)}


# Late entries: at their own time, but never before the last boundary of what they touch.


def test_a_late_leave_takes_effect_at_its_own_time(story):
    story.voice(0, "A", user=1)
    story.voice(100, "A", user=2)
    story.removed(50, user=1)
    assert story.stays(1) == [("A", 0, 50)]


def test_a_late_leave_never_ends_a_session_before_its_last_span_began(story):
    story.voice(0, "A")
    story.voice(60, "A", DEAF)
    story.removed(50)
    assert story.stays() == [("A", 0, 60)]
    assert story.spans() == [(0, 60, 0)]


def test_a_late_join_never_begins_before_the_last_leave(story):
    story.voice(0, "A")
    story.voice(60, None)
    story.voice(50, "B")
    assert story.stays() == [("A", 0, 60), ("B", 60, None)]


def test_a_late_move_never_takes_effect_before_the_session_it_ends(story):
    story.voice(60, "A")
    story.voice(50, "B")
    assert story.stays() == [("B", 60, None)]


def test_a_late_change_of_flags_never_cuts_before_the_last_cut(story):
    story.voice(0, "A")
    story.voice(60, "A", DEAF)
    story.voice(50, "A", MUTE)
    story.voice(90, None)
    assert story.spans() == [(0, 60, 0), (60, 90, MUTE)]


def test_those_who_left_and_what_was_created_are_forgotten_in_time(story):
    story.voice(0, "A", user=1)
    story.voice(5, None, user=1)
    story.created(5, "X")
    later = CREATION_MEMORY_MS / 1000 + 10
    story.voice(later, "A", user=2)
    story.voice(later + 5, None, user=2)
    story.created(later, "Y")
    assert list(story.state.left) == [2]
    assert len(story.state.created) == 1


def test_nothing_is_posted_without_a_gap(tell, there):
    story = tell(log_channel_id=5)
    effects = story.snapshot(0, there("A"))
    assert not [it for it in effects if isinstance(it, PostMessage)]
