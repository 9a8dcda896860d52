"""Requests and what a guild did, close together in the journal: the order alone decides, not the batches."""

import pytest

from engine.actors.records import batches
from engine.domain.event_inputs import (
    ChangeEvent,
    CreateEvent,
    EventFields,
    ScheduledEvent,
    ScheduledEventChanged,
    ScheduledStatus,
    StartEvent,
    StopEvent,
)
from engine.domain.inputs import (
    Channel,
    ChannelDeleted,
    Entry,
    GuildChanged,
    GuildLost,
    GuildSnapshot,
    GuildUnavailable,
)
from engine.domain.rules import EventRules, Rules
from engine.domain.tracker_inputs import (
    ExpiryDecided,
    ScopeCommitted,
    SubjectMark,
    SubjectOverridden,
    TrackersKnown,
)
from engine.domain.tracking import SubjectKind
from engine.storage.protocols import Record
from tests.actors.inputs import GUILD, ROOM, beat, moved

ELSEWHERE, AFK, EVENT = 8, 9, 900
RULES = Rules(events=EventRules(distributor="csv"))


def snapshot(at, *scheduled, connection="shard/1", afk=AFK):
    channels = (Channel(ROOM), Channel(ELSEWHERE), Channel(AFK))
    return GuildSnapshot(at, GUILD, connection, (), channels, "Guild", afk, None, scheduled)


def told(at, status):
    return ScheduledEventChanged(at, GUILD, ScheduledEvent(EVENT, ROOM, "Talk", status, 1_000))


PAUSE = None  # what came before is taken before what comes after
TALK = ScheduledEvent(EVENT, ROOM, "Talk", ScheduledStatus.ACTIVE, 1_000)
STORIES = {
    "a whole event right after the guild's first sight": (
        *(beat(1_000), snapshot(1_000), told(2_000, ScheduledStatus.SCHEDULED)),
        *(
            told(3_000, ScheduledStatus.ACTIVE),
            moved(3_500, 1),
            moved(3_600, 2),
            told(6_000, ScheduledStatus.COMPLETED),
        ),
    ),
    "another AFK channel before the stop": (
        *(beat(1_000), snapshot(1_000, TALK), moved(2_000, 1, ROOM)),
        *(GuildChanged(4_000, GUILD, "Guild", ROOM), told(6_000, ScheduledStatus.COMPLETED)),
    ),
    "an event's channel deleted before the next connection": (
        *(beat(1_000), snapshot(1_000, TALK), moved(2_000, 1), PAUSE, ChannelDeleted(4_000, GUILD, ROOM)),
        *(beat(8_000, "shard/2"), snapshot(8_000, connection="shard/2")),
    ),
    "another AFK channel before the next connection": (
        *(beat(1_000), snapshot(1_000, TALK), moved(2_000, 1), GuildChanged(4_000, GUILD, "Guild", ROOM)),
        *(beat(8_000, "shard/2"), snapshot(8_000, connection="shard/2")),
    ),
    "a visit too short for a session, before its channel is the event's": (
        *(beat(1_000), snapshot(1_000), CreateEvent(2_000, GUILD, EVENT, EventFields("Talk", (ROOM,)))),
        *(StartEvent(3_000, GUILD, EVENT), moved(4_000, 1, ELSEWHERE), moved(4_300, 1, None)),
        *(ChangeEvent(5_000, GUILD, EVENT, EventFields(channel_ids=(ROOM, ELSEWHERE))),),
        *(moved(6_000, 2, ELSEWHERE), moved(6_300, 2, None), StopEvent(7_000, GUILD, EVENT)),
    ),
    "badges given before more is asked": (
        *(beat(1_000), snapshot(1_000), CreateEvent(2_000, GUILD, EVENT, EventFields("Talk", (ROOM,)))),
        *(StartEvent(3_000, GUILD, EVENT), moved(4_000, 1), StopEvent(7_000, GUILD, EVENT), beat(9_000)),
        *(ChangeEvent(9_500, GUILD, EVENT, EventFields(min_duration_ms=60_000)), beat(10_000)),
    ),
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
def test_all_at_once_comes_to_what_entry_by_entry_comes_to(make_bench, story):
    one_by_one, at_once = make_bench(rules=RULES, batch_max_entries=1), make_bench(rules=RULES)
    pause = story.index(PAUSE) if PAUSE in story else 0
    last = beat(20_000, "shard/2" if "shard/2" in str(story) else "shard/1")
    for bench in (one_by_one, at_once):
        for part in filter(None, (story[:pause], (*story[pause + bool(pause) :], last))):
            bench.write(*part)
            bench.start().settle()
            bench.stop()
    assert at_once.ledger.rows == one_by_one.ledger.rows
    assert at_once.inside.stats.batches < one_by_one.inside.stats.batches
    event = one_by_one.ledger.rows.events[EVENT]
    assert (event.settled, event.afk_channel_id is None) == (True, False)


LOST = GuildLost(6_000, GUILD)
PLAYER, OF_EVENT = SubjectKind


def scope(kind, guild_id=GUILD):
    """A scope whose mark that matters stands behind another guild's."""
    marks = (SubjectMark(2 << 22, OF_EVENT, 901, True), SubjectMark(guild_id, kind, EVENT, True))
    return ScopeCommitted(7_000, "quiet", marks)


@pytest.mark.parametrize(
    ("inputs", "cut"),
    [
        ((LOST, snapshot(6_001)), [1, 1]),
        ((LOST, moved(6_500, 1), scope(OF_EVENT)), [2, 1]),
        ((ChannelDeleted(6_000, GUILD, ROOM), SubjectOverridden(7_000, GUILD, OF_EVENT, EVENT)), [1, 1]),
        ((LOST, ExpiryDecided(7_000, GUILD, OF_EVENT, EVENT, 6_500, 0)), [1, 1]),
        ((scope(OF_EVENT), LOST, moved(7_000, 1)), [3]),
        ((LOST, scope(PLAYER), SubjectOverridden(7_000, GUILD, PLAYER, GUILD)), [3]),
        ((LOST, scope(OF_EVENT, 3 << 22)), [2]),
        ((scope(OF_EVENT), scope(OF_EVENT), scope(OF_EVENT)), [3]),
        ((LOST, TrackersKnown(7_000, ()), scope(OF_EVENT)), [1, 1, 1]),
        ((beat(1_000), moved(2_000, 1), snapshot(3_000), snapshot(3_000)), [2, 1, 1]),
        ((beat(1_000), GuildUnavailable(2_000, GUILD), GuildUnavailable(2_000, 2 << 22)), [1, 2]),
        ((beat(1_000), moved(2_000, 1), beat(2_000), moved(2_001, 2)), [4]),
    ],
)
def test_trackers_snapshots_and_settlings_find_events_as_their_guild_has_left_them(inputs, cut):
    """An event is settled by what a heartbeat told before its guild was watched in another way."""
    entries = [Entry("a", number, what) for number, what in enumerate(inputs)]
    records = [Record(f"{it.seq}-0", it, b"", "") for it in entries]
    portions = list(batches(records))
    assert [len(it) for it in portions] == cut
    assert [it for portion in portions for it in portion] == records
