"""Users who opted out are as good as not there, from the first fact about them on. Times are seconds."""

import pytest
from hypothesis import given, settings

from engine.domain.effects import DropSession, PostMessage
from engine.domain.inputs import Entry, Heartbeat
from engine.domain.rules import Rules
from tests.domain.histories import journals
from tests.domain.ingest import USERS
from tests.domain.replay import Replay
from tests.domain.story import ms

OUT = Rules(opt_out=frozenset({1}))


def test_who_opted_out_has_no_session(tell):
    story = tell(opt_out=frozenset({1}))
    story.voice(1, "A")
    story.voice(2, "A", 8)
    story.voice(3, "B")
    story.roles(4, 7)
    story.removed(5)
    story.voice(1, "A", user=2)
    assert story.rows(1) == []
    assert story.stays(2) == [("A", 1, None)]


def test_who_opted_out_is_left_out_of_snapshots(tell, there):
    story = tell(opt_out=frozenset({1}))
    story.snapshot(5, there("A"), there("A", user=2))
    assert story.rows(1) == []
    assert len(story.rows(2)) == 1


def test_tracking_bots_tracks_none_that_opted_out(tell):
    story = tell(opt_out=frozenset({1}), track_bots=True)
    story.voice(1, "A", bot=True)
    story.voice(1, "A", bot=True, user=2)
    assert (len(story.rows(1)), len(story.rows(2))) == (0, 1)


FACTS = {
    "update": lambda story: story.voice(60, "A"),
    "change": lambda story: story.voice(60, "A", 8),
    "move": lambda story: story.voice(60, "B"),
    "leave": lambda story: story.voice(60, None),
    "roles": lambda story: story.roles(60, 7),
    "same roles": lambda story: story.roles(60),
    "removal": lambda story: story.removed(60),
    "channel": lambda story: story.deleted(60, "A"),
    "guild": lambda story: story.lost(60),
    "snapshot without": lambda story: story.snapshot(60),
    "replay": lambda story: story.voice(60, None, lost=30),
}


@pytest.mark.parametrize("fact", FACTS)
def test_a_session_open_when_its_member_opted_out_is_dropped_at_the_next_fact(story, fact):
    story.snapshot(0)
    story.voice(5, "A")
    story.voice(10, "A", 2)
    story.rules = OUT
    effects = FACTS[fact](story)
    assert story.rows() == []
    (dropped,) = [it for it in effects if isinstance(it, DropSession)]
    assert (dropped.joined_at, dropped.at) == (ms(5), ms(60))


def test_a_snapshot_that_still_shows_them_drops_the_session(story, there):
    story.snapshot(0)
    story.voice(5, "A")
    story.rules = OUT
    story.snapshot(60, there("A"), there("A", user=2), connection="c2")
    assert story.rows(1) == []
    assert len(story.rows(2)) == 1


def test_a_late_fact_drops_no_session_before_its_last_boundary(story):
    story.voice(5, "A")
    story.voice(60, "A", 8)
    story.rules = OUT
    (dropped,) = story.removed(50)
    assert dropped.at == ms(60)


def test_a_report_of_a_gap_does_not_count_them(tell, there):
    story = tell(log_channel_id=5)
    story.snapshot(0)
    story.voice(10, "A")
    story.voice(10, "A", user=2)
    story.beat(100, connected=False)
    story.rules = Rules(log_channel_id=5, opt_out=frozenset({1}))
    effects = story.snapshot(160, there("A", user=2), connection="c2", name="Port")
    (post,) = [it for it in effects if isinstance(it, PostMessage)]
    assert post.content == "Port: not watched for 60.000 s; 1 stayed."


def test_what_was_finished_before_stays_until_it_is_forgotten(story):
    story.voice(5, "A")
    story.voice(60, None)
    story.rules = OUT
    story.voice(70, "A")
    assert story.stays() == [("A", 5, 60)]


@settings(max_examples=100, deadline=None)
@given(journals)
def test_all_others_are_told_of_as_if_those_who_opted_out_had_never_been(journal):
    out, other = USERS
    replay, without = Replay(Rules(opt_out=frozenset({out}))), Replay(Rules())
    replay.take(journal)
    without.take([_time_alone(it) if _is_about(it, out) else it for it in journal])
    assert {key[1] for key in replay.book.rows} <= {other}
    assert {it: row for it, row in without.book.rows.items() if it[1] == other} == replay.book.rows


def _is_about(entry: Entry, user_id: int) -> bool:
    return getattr(entry.input, "user_id", None) == user_id


def _time_alone(entry: Entry) -> Entry:
    return Entry(entry.source, entry.seq, Heartbeat(entry.input.at))
