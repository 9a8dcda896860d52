"""An evening with an event, entry by entry, in a guild of which nothing else is told."""

from types import SimpleNamespace

from engine.actors.desk import Desk
from engine.domain.event_inputs import ChangeEvent, CreateEvent, EventFields, StartEvent, StopEvent
from engine.domain.inputs import Channel, GuildSnapshot, VoiceFlags, VoiceState
from engine.domain.rules import EventRules, Rules
from tests.actors.inputs import GUILD, ROOM, beat, moved

ELSEWHERE, EVENT = 8, 900
RULES = Rules(events=EventRules(min_duration_ms=5_000, distributor="csv"))


def created(at, *, event_id=EVENT, **fields):
    fields = EventFields(**{"name": "Evening", "channel_ids": (ROOM,)} | fields)
    return CreateEvent(at, GUILD, event_id, fields, request_id=f"create-{event_id}")


# Somebody early, somebody shortly, somebody deaf for a while, somebody back again, a change while it runs.
EVENING = (
    beat(1_000),
    GuildSnapshot(1_000, GUILD, "shard/1", (VoiceState(1, ROOM), VoiceState(2, ELSEWHERE)), (Channel(ROOM),)),
    created(2_000),
    moved(3_000, 3),
    StartEvent(10_000, GUILD, EVENT, "start"),
    moved(12_000, 4),
    moved(12_500, 4, None),
    moved(13_000, 3, flags=VoiceFlags.SELF_DEAF),
    moved(14_000, 2),
    moved(16_000, 3),
    moved(17_000, 2, None),
    ChangeEvent(18_000, GUILD, EVENT, EventFields(channel_ids=(ROOM, ELSEWHERE)), "change"),
    moved(19_000, 2, ELSEWHERE),
    beat(20_000),
    StopEvent(25_000, GUILD, EVENT, "stop"),
    moved(26_000, 1, None),
    beat(25_500),
    beat(27_000),
    moved(28_000, 3, None),
)


def rows_of(bench):
    return bench.ledger.rows


def desk_of(bench):
    """Return a desk whose requests the bench takes."""
    return Desk(SimpleNamespace(append=bench.write), bench.aftermath.answers, wait_s=15.0)
