"""Rule 6, case by case: what is not known lies in a slack that contains it and is no larger than the gap.

The connection is lost at 100 and back at 160. Times are seconds, channels letters: see ``story.Story``.
"""

import pytest

from engine.domain.effects import PostMessage, Status
from engine.domain.ids import created_at
from engine.domain.inputs import VoiceFlags
from tests.domain.story import channel_of, s

MUTE = 8
BRIDGED = int(VoiceFlags.BRIDGED)


def test_who_is_gone_left_at_the_last_heartbeat_with_the_gap_as_slack(watched):
    watched.snapshot(160, connection="c2")
    assert watched.windows() == [((10, 10), (100, 160))]


def test_the_same_presence_continues_over_a_bridged_span(watched, there):
    watched.snapshot(160, there("A"), connection="c2")
    watched.voice(200, None)
    assert watched.windows() == [((10, 10), (200, 200))]
    assert watched.spans() == [(10, 100, 0), (100, 160, BRIDGED), (160, 200, 0)]
    assert watched.rows()[0].saved.session.bridged


def test_the_flags_after_a_gap_are_the_snapshots(watched, there):
    watched.snapshot(160, there("A", MUTE), connection="c2")
    watched.voice(200, None)
    assert watched.spans() == [(10, 100, 0), (100, 160, BRIDGED), (160, 200, MUTE)]


def test_another_presence_in_the_same_channel_is_another_session(watched, there):
    watched.snapshot(160, there("A", name="s2"), connection="c2")
    assert watched.windows() == [((10, 10), (100, 160)), ((100, 160), None)]
    first, second = (row.saved.session for row in watched.rows())
    assert second.previous_at is None
    assert second.chain_at != first.chain_at


def test_the_same_presence_in_another_channel_has_moved(watched, there):
    watched.snapshot(160, there("B"), connection="c2")
    assert watched.windows() == [((10, 10), (100, 160)), ((100, 160), None)]
    first, second = (row.saved.session for row in watched.rows())
    assert second.previous_at == second.chain_at == first.joined_at


def test_another_presence_in_another_channel_begins_a_chain(watched, there):
    watched.snapshot(160, there("B", name="s2"), connection="c2")
    assert watched.windows() == [((10, 10), (100, 160)), ((100, 160), None)]
    assert watched.rows()[1].saved.session.previous_at is None


def test_who_is_newly_there_joined_within_the_gap(watched, there):
    watched.snapshot(160, there("A"), there("B", user=2), connection="c2")
    assert watched.windows(2) == [((100, 160), None)]


def test_what_was_seen_after_the_last_heartbeat_stays_exact(story):
    story.snapshot(0)
    story.beat(100)
    story.voice(100.4, "A")  # and then the ingest is killed
    story.snapshot(160, connection="c2")
    assert story.windows() == [((100.4, 100.4), (100.4, 160))]


def test_a_session_that_may_have_been_long_enough_keeps_its_row(story):
    story.snapshot(0)
    story.beat(100)
    story.voice(99.9, "A")
    story.snapshot(100.5, connection="c2")
    assert story.rows() == []  # at most 0.6 s


def test_a_guild_last_seen_two_connections_ago_has_a_gap_since_then(watched):
    watched.beat(130, "c2")
    watched.snapshot(160, connection="c3")
    assert watched.windows() == [((10, 10), (100, 160))]


def test_a_connection_nobody_remembers_counts_from_the_last_snapshot(story):
    story.snapshot(0, connection="c1")
    story.voice(10, "A")
    story.voice(5, "A", user=2)
    story.snapshot(160, connection="c9")
    assert story.windows(1) == [((10, 10), (10, 160))]


def test_a_new_snapshot_on_the_same_connection_is_no_gap(story, there):
    story.snapshot(0)
    story.voice(10, "A")
    story.beat(100)
    story.snapshot(160, there("A", MUTE))
    story.voice(200, None)
    assert story.windows() == [((10, 10), (200, 200))]
    assert story.spans()[-1] == (160, 200, MUTE)


def test_an_update_lost_without_a_gap_lies_after_the_last_one_known(story, there):
    story.snapshot(0)
    story.voice(10, "A")
    story.voice(20, "A", MUTE)
    story.snapshot(60, there("B", user=2))
    assert story.windows(1) == [((10, 10), (20, 60))]
    assert story.windows(2) == [((0, 60), None)]


def test_a_first_snapshots_slack_reaches_back_to_the_channels_creation(story, there):
    story.snapshot(5, there("A"))
    assert story.windows() == [((s(created_at(channel_of("A"))), 5), None)]


# The guild itself is away


def test_an_outage_of_a_guild_is_a_gap_on_a_living_connection(story, there):
    story.snapshot(0)
    story.voice(10, "A")
    story.voice(10, "B", user=2)
    story.unavailable(100)
    story.beat(150)
    story.snapshot(160, there("B", user=2))
    assert story.windows(1) == [((10, 10), (100, 160))]
    assert story.spans(2) == [(10, 100, 0), (100, 160, BRIDGED), (160, None, 0)]


def test_an_outage_before_the_connections_loss_counts_from_the_outage(story):
    story.snapshot(0)
    story.voice(10, "A")
    story.unavailable(50)
    story.beat(100, connected=False)
    story.snapshot(160, connection="c2")
    assert story.windows() == [((10, 10), (50, 160))]


def test_a_second_word_of_the_same_outage_does_not_move_it(story):
    story.snapshot(0)
    story.voice(10, "A")
    story.unavailable(50)
    assert story.unavailable(70) == []
    story.snapshot(160)
    assert story.windows() == [((10, 10), (50, 160))]


def test_a_guild_lost_during_an_outage_cancels_with_the_outage_as_slack(story):
    story.snapshot(0)
    story.voice(10, "A")
    story.unavailable(50)
    story.lost(90)
    assert story.windows() == [((10, 10), (50, 90))]
    assert story.rows()[0].saved.status is Status.CANCELLED


def test_a_guild_missed_on_the_next_connection_was_lost_at_any_moment_of_the_gap(story):
    story.snapshot(0)
    story.voice(10, "A")
    story.beat(100, connected=False)
    story.beat(160, connection="c2")
    story.lost(160, connection="c2")
    assert story.windows() == [((10, 10), (100, 160))]
    assert story.rows()[0].saved.status is Status.CANCELLED
    assert not story.state.present


def test_a_guild_lost_during_an_outage_before_the_gap_was_lost_since_the_outage(story):
    story.snapshot(0)
    story.voice(10, "A")
    story.unavailable(50)
    story.beat(100, connected=False)
    story.lost(160, connection="c2")
    assert story.windows() == [((10, 10), (50, 160))]


def test_a_guild_lost_during_an_outage_after_the_gap_was_lost_since_the_gap(story):
    story.snapshot(0)
    story.voice(10, "A")
    story.beat(100, connected=False)
    story.unavailable(150)
    story.lost(160, connection="c2")
    assert story.windows() == [((10, 10), (100, 160))]


def test_a_guild_lost_on_the_connection_that_confirmed_it_was_watched_to_its_end(story):
    story.snapshot(0)
    story.voice(10, "A")
    story.beat(100)
    story.lost(160, connection="c1")
    assert story.windows() == [((10, 10), (160, 160))]


def test_a_guild_lost_so_late_that_its_connection_is_forgotten_counts_from_its_last_snapshot(story):
    story.snapshot(20)
    story.voice(10, "A")
    story.lost(160, connection="c9")
    assert story.windows() == [((10, 10), (20, 160))]


def test_what_a_resume_tells_of_the_guild_itself_happened_since_the_loss(watched):
    watched.lost(160, lost=100)
    assert watched.windows() == [((10, 10), (100, 160))]


def test_an_outage_told_by_a_resume_began_with_the_loss(watched):
    watched.unavailable(160, lost=100)
    watched.snapshot(200)
    assert watched.windows() == [((10, 10), (100, 200))]


def test_a_guild_that_comes_back_opens_its_sessions_anew(story, there):
    story.snapshot(0)
    story.voice(10, "A")
    story.lost(50)
    story.snapshot(90, there("A"))
    assert story.windows() == [((10, 10), (50, 50)), ((50, 90), None)]


# What is told about it


@pytest.mark.parametrize("log_channel_id", [None, 5])
def test_a_gap_is_posted_exactly_where_a_log_channel_is_configured(tell, there, log_channel_id):
    story = tell(log_channel_id=log_channel_id)
    story.snapshot(0)
    story.voice(10, "A")
    story.voice(10, "A", user=2)
    story.beat(100, connected=False)
    effects = story.snapshot(160, there("A", user=2), there("B", user=3), connection="c2", name="Port")
    posts = [it for it in effects if isinstance(it, PostMessage)]
    assert [(it.channel_id, it.content) for it in posts] == (
        [(5, "Port: not watched for 60.000 s; 1 joined, 1 left, 1 stayed.")] if log_channel_id else []
    )
