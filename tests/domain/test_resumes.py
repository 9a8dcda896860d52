"""What a RESUME replays happened since the loss: here the connection is lost at 100 and back at 160.

Times are seconds, channels letters: see ``story.Story``.
"""

import pytest

from engine.domain.inputs import VoiceFlags
from tests.domain.story import s

MUTE = 8
BRIDGED = int(VoiceFlags.BRIDGED)


def test_replayed_updates_carry_slack_back_to_the_loss(watched):
    watched.voice(160, None, lost=100)
    watched.voice(160.5, "B", user=2, lost=100)
    assert watched.windows(1) == [((10, 10), (100, 160))]
    assert watched.windows(2) == [((100, 160.5), None)]


def test_a_replayed_move_has_slack_on_both_sides(watched):
    watched.voice(160, "B", lost=100)
    assert watched.windows() == [((10, 10), (100, 160)), ((100, 160), None)]
    assert watched.rows()[1].saved.session.previous_at is not None


def test_a_replayed_removal_or_deletion_carries_slack(watched):
    watched.voice(20, "B", user=2)
    watched.removed(160, lost=100)
    watched.deleted(160, "B", lost=100)
    assert watched.windows(1) == [((10, 10), (100, 160))]
    assert watched.windows(2) == [((20, 20), (100, 160))]


def test_a_replayed_change_of_flags_bridges_what_nobody_saw(watched):
    watched.voice(160, "A", MUTE, lost=100)
    watched.voice(200, None)
    assert watched.spans() == [(10, 100, 0), (100, 160, BRIDGED), (160, 200, MUTE)]


@pytest.mark.parametrize("channel", [None, "B"])
def test_an_end_replayed_after_a_change_of_flags_may_lie_anywhere_in_the_gap(watched, channel):
    watched.voice(160, "A", MUTE, lost=100)
    watched.voice(160.1, "A", lost=100)
    watched.voice(160.2, channel, lost=100)
    first = watched.rows()[0]
    assert watched.windows()[0] == ((10, 10), (100, 160.2))
    assert [(s(start), s(end), flags) for start, end, flags, _ in first.spans()] == [(10, 100, 0)]
    assert watched.windows()[1:] == ([((100, 160.2), None)] if channel else [])


def test_a_replay_cut_short_and_then_a_snapshot_share_one_gap(watched):
    watched.voice(130, "A", MUTE, lost=100)
    watched.snapshot(160, connection="c2")
    assert watched.windows() == [((10, 10), (100, 160))]
    assert watched.spans() == [(10, 100, 0)]


def test_a_join_replayed_after_a_stay_replayed_whole_may_lie_anywhere_in_the_gap(story):
    story.snapshot(0)
    story.voice(160, "A", lost=100)
    story.voice(160, None, lost=100)
    story.voice(160, "B", lost=100)
    whole, last = story.rows()
    assert whole.joined[0] <= whole.left[1]
    assert last.joined[1] - last.joined[0] == 60_000
    assert s(last.joined[1]) == 160.001  # its own millisecond: ids are derived from it


def test_without_news_a_resume_leaves_no_trace(watched):
    watched.beat(170)
    watched.voice(200, None)
    assert watched.windows() == [((10, 10), (200, 200))]
    assert watched.spans() == [(10, 200, 0)]
