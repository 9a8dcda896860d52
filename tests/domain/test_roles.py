"""Roles, case by case: spans are cut at each change of them, as at flags. Times are seconds: see ``Story``.

Where a gap matters, the connection is lost at 100 and back at 160.
"""

import pytest

from engine.domain.effects import SaveSession, SaveSpan
from engine.domain.inputs import VoiceFlags

MUTE = 8
BRIDGED = int(VoiceFlags.BRIDGED)
CREW, MATE = 7, 8


def spans_of(story, user=1):
    """Return (from, to, flags, roles) of the one session's spans, in seconds."""
    return [(*span, held[2]) for span, held in zip(story.spans(user), story.held(user), strict=True)]


def test_a_session_holds_the_roles_it_was_joined_with(story):
    story.voice(0, "A", roles=(CREW, MATE))
    story.voice(9, None)
    assert story.held() == [(0, 9, (CREW, MATE))]


@pytest.mark.parametrize(("before", "after"), [((), (CREW,)), ((CREW,), ()), ((CREW,), (MATE,))])
def test_roles_won_lost_or_changed_cut_a_span(story, before, after):
    story.voice(0, "A", roles=before)
    story.roles(4, *after)
    story.voice(9, None)
    assert story.held() == [(0, 4, before), (4, 9, after)]
    assert story.stays() == [("A", 0, 9)]


def test_without_the_members_intent_the_next_voice_update_tells_of_the_roles(story):
    story.voice(0, "A")
    story.voice(4, "A", roles=(CREW,))
    story.voice(9, None)
    assert story.held() == [(0, 4, ()), (4, 9, (CREW,))]


def test_a_change_of_flags_and_roles_at_once_is_one_cut(story):
    story.voice(0, "A")
    effects = story.voice(4, "A", MUTE, roles=(CREW,))
    assert [type(it) for it in effects] == [SaveSpan, SaveSession]
    assert spans_of(story) == [(0, 4, 0, ()), (4, None, MUTE, (CREW,))]


def test_flags_and_roles_cut_independently(story):
    story.voice(0, "A", roles=(CREW,))
    story.voice(2, "A", MUTE, roles=(CREW,))
    story.roles(4)
    story.voice(6, "A")
    story.voice(9, None)
    assert spans_of(story) == [(0, 2, 0, (CREW,)), (2, 4, MUTE, (CREW,)), (4, 6, MUTE, ()), (6, 9, 0, ())]


def test_the_same_roles_told_again_change_nothing(story):
    story.voice(0, "A", MUTE, roles=(CREW, MATE))
    before = story.state
    assert story.roles(2, CREW, MATE) == []
    assert story.voice(3, "A", MUTE, roles=(CREW, MATE)) == []
    assert story.state is before


def test_equal_roles_keep_the_sessions_own_tuple(story):
    """So that a session of hours does not hold one copy of them after another."""
    told = [tuple(sorted({CREW, MATE})) for _ in range(3)]
    story.voice(0, "A", roles=told[0])
    story.voice(2, "A", MUTE, roles=told[1])
    story.voice(3, "B", roles=told[2])
    assert story.state.sessions[1].roles is told[0]


def test_roles_that_nobody_told_stay_as_they_were(story):
    story.voice(0, "A", roles=(CREW,))
    assert story.voice(1, "A", roles=None) == []
    story.voice(2, "A", MUTE, roles=None)
    story.voice(5, "B", MUTE, roles=None)
    story.voice(9, None, roles=None)
    assert story.held() == [(0, 2, (CREW,)), (2, 5, (CREW,)), (5, 9, (CREW,))]


def test_a_join_of_somebody_whose_roles_nobody_told_has_none(story):
    story.voice(0, "A", roles=None)
    story.voice(4, "A", roles=(CREW,))
    assert story.held() == [(0, 4, ()), (4, None, (CREW,))]


def test_a_move_takes_the_roles_it_tells_and_cuts_nothing_else(story):
    story.voice(0, "A", roles=(CREW,))
    story.voice(4, "B", roles=(MATE,))
    story.voice(9, None)
    assert story.held() == [(0, 4, (CREW,)), (4, 9, (MATE,))]


def test_roles_untold_pass_through_a_session_too_short_for_a_row(story):
    story.voice(0, "A", roles=(CREW,))
    story.voice(4, "B", roles=(MATE,))
    story.voice(4.5, "C", roles=None)
    assert story.held() == [(0, 4, (CREW,)), (4.5, None, (MATE,))]


def test_roles_of_somebody_who_is_not_in_voice_do_nothing(story):
    before = story.state
    assert story.roles(1, CREW) == []
    story.voice(2, "A", user=2)
    assert story.roles(3, CREW) == []
    story.voice(4, "A")
    assert before.sessions == {}
    assert story.held() == [(4, None, ())]


def test_roles_changed_at_the_moment_of_the_join_leave_no_empty_span(story):
    story.voice(1, "A")
    effects = story.roles(1, CREW)
    assert [type(it) for it in effects] == [SaveSession]
    assert story.held() == [(1, None, (CREW,))]


def test_a_late_change_of_roles_never_cuts_before_the_last_cut(story):
    story.voice(0, "A")
    story.voice(60, "A", MUTE)
    story.roles(50, CREW)
    story.voice(90, None)
    assert spans_of(story) == [(0, 60, 0, ()), (60, 90, MUTE, (CREW,))]


def test_another_gateway_session_survives_a_change_of_roles(story):
    story.voice(0, "A", gateway_session_id="s1")
    story.roles(4, CREW)
    assert story.state.sessions[1].gateway_session_id == "s1"
    story.voice(5, "A", gateway_session_id="s2", roles=(CREW, MATE))
    assert story.state.sessions[1].gateway_session_id == "s2"


# Gaps: a span that bridges one carries what was last known.


@pytest.fixture
def crew(story):
    """A guild watched up to a loss at 100, with user 1, of the crew, in A since 10."""
    story.snapshot(0)
    story.voice(10, "A", roles=(CREW,))
    story.beat(100, connected=False)
    return story


def rows(story):
    (row,) = story.rows()
    return [(flags, roles) for _, _, flags, roles in row.spans()]


def test_a_snapshot_after_a_gap_tells_the_roles_from_then_on(crew, there):
    crew.snapshot(160, there("A", roles=(MATE,)), connection="c2")
    assert crew.spans() == [(10, 100, 0), (100, 160, BRIDGED), (160, None, 0)]
    assert rows(crew) == [(0, (CREW,)), (BRIDGED, (CREW,)), (0, (MATE,))]


def test_a_snapshot_that_tells_no_roles_keeps_those_known(crew, there):
    crew.snapshot(160, there("A", roles=None), connection="c2")
    assert [roles for _, roles in rows(crew)] == [(CREW,)] * 3


def test_who_moved_in_a_gap_has_the_snapshots_roles_in_the_next_session(crew, there):
    crew.snapshot(160, there("B", roles=(MATE,)), connection="c2")
    assert crew.held() == [(10, 100, (CREW,)), (160, None, (MATE,))]


def test_who_moved_in_a_gap_and_whose_roles_are_not_told_keeps_them(crew, there):
    crew.snapshot(160, there("B", roles=None), connection="c2")
    assert crew.held() == [(10, 100, (CREW,)), (160, None, (CREW,))]


@pytest.mark.parametrize(("told", "held"), [((MATE,), (MATE,)), (None, ())])
def test_who_is_another_presence_after_a_gap_joins_with_the_roles_told(crew, there, told, held):
    crew.snapshot(160, there("A", name="s2", roles=told), connection="c2")
    assert crew.held() == [(10, 100, (CREW,)), (160, None, held)]


def test_who_is_newly_there_has_the_snapshots_roles(crew, there):
    crew.snapshot(160, there("A"), there("B", user=2, roles=(MATE,)), connection="c2")
    assert crew.held(2) == [(160, None, (MATE,))]


def test_a_first_snapshot_tells_the_roles_of_those_inside(story, there):
    story.snapshot(5, there("A", roles=(CREW,)), there("A", user=2, roles=None))
    assert story.held(1) == [(5, None, (CREW,))]
    assert story.held(2) == [(5, None, ())]


def test_a_replayed_change_of_roles_bridges_what_nobody_saw(crew):
    crew.roles(160, MATE, lost=100)
    crew.voice(200, None)
    assert crew.spans() == [(10, 100, 0), (100, 160, BRIDGED), (160, 200, 0)]
    assert rows(crew) == [(0, (CREW,)), (BRIDGED, (CREW,)), (0, (MATE,))]
    assert crew.rows()[0].saved.session.bridged


def test_the_same_roles_replayed_bridge_nothing(crew):
    assert crew.roles(160, CREW, lost=100) == []
    assert crew.spans() == [(10, None, 0)]


def test_changes_replayed_one_after_another_each_bridge_up_to_their_own_replay(crew):
    crew.roles(160, MATE, lost=100)
    crew.voice(160.2, "A", MUTE, roles=(MATE,), lost=100)
    crew.roles(160.3, CREW, MATE, lost=100)
    assert crew.spans()[1:] == [
        (100, 160, BRIDGED),
        (160, 160.2, BRIDGED),
        (160.2, 160.3, BRIDGED | MUTE),
        (160.3, None, MUTE),
    ]
    assert [roles for _, roles in rows(crew)] == [(CREW,), (CREW,), (MATE,), (MATE,), (CREW, MATE)]


@pytest.mark.parametrize("channel", [None, "B"])
def test_an_end_replayed_after_a_change_of_roles_may_lie_anywhere_in_the_gap(crew, channel):
    crew.roles(160, MATE, lost=100)
    crew.voice(160.2, channel, roles=(MATE,), lost=100)
    assert crew.windows()[0] == ((10, 10), (100, 160.2))
    assert crew.held()[0] == (10, 100, (CREW,))
    assert crew.windows()[1:] == ([((100, 160.2), None)] if channel else [])


def test_a_member_who_joined_in_a_gap_has_the_roles_replayed_after_from_then_on(crew):
    crew.voice(160, "B", user=2, roles=(CREW,), lost=100)
    crew.roles(160.5, MATE, user=2, lost=100)
    assert crew.windows(2) == [((100, 160), None)]
    assert crew.spans(2) == [(160, 160.5, BRIDGED), (160.5, None, 0)]
    assert crew.held(2) == [(160.5, None, (MATE,))]


def test_roles_that_differ_without_a_gap_changed_after_the_last_word(story, there):
    story.snapshot(0)
    story.voice(10, "A", roles=(CREW,))
    story.snapshot(60, there("A", roles=(MATE,)))
    assert story.spans() == [(10, 60, BRIDGED), (60, None, 0)]
    assert rows(story) == [(BRIDGED, (CREW,)), (0, (MATE,))]
