"""Ten thousand frames that nobody should send, from a real websocket to the rows of a real ledger."""

import json
import random

import msgspec
import pytest

from bot_adapter.intake import EVENTS_MAX, Counters
from bot_adapter.payloads import Frame
from engine.storage.queries import SessionFilter
from engine.storage.writer import JournalWriter
from tests.api.running import RunningEngine
from tests.bot_adapter.conftest import CollectingJournal
from tests.bot_adapter.discord_payloads import GUILD, USER, user
from tests.bot_adapter.hostile import SAMPLES, encode, mutate

FRAMES, AT_ONCE, SEED = 10_000, 500, 20261121
ROLE = {"id": "9", "name": "crew", "permissions": "0", "color": 0, "position": 1}
# What only py-cord reads, beside what we translate.
OTHERS = {
    "MESSAGE_CREATE": {"id": "1", "channel_id": "5", "author": user(), "content": "hi", "mentions": []},
    "GUILD_ROLE_CREATE": {"guild_id": str(GUILD), "role": ROLE},
    "GUILD_MEMBER_ADD": {"guild_id": str(GUILD), "user": user(), "roles": []},
    "PRESENCE_UPDATE": {"guild_id": str(GUILD), "user": {"id": str(USER)}, "status": "idle"},
    "VOICE_SERVER_UPDATE": {"guild_id": str(GUILD), "token": "x", "endpoint": None},
    "GUILD_STICKERS_UPDATE": {"guild_id": str(GUILD), "stickers": []},
    "NEVER_HEARD_OF": {},
}
DEEP = [b"[" * 3000, b'{"d":' * 3000, b"[" * 3000 + b"]" * 3000, b"1" * 5000, b"-" + b"9" * 400, b'"\\ud800"']


def frame(rng, number):
    """Return one frame as bytes: a real one, with something wrong in its payload or around it."""
    event, payload = rng.choice([*SAMPLES.items(), *OTHERS.items()])
    whole = {"op": 0, "t": event, "s": number, "d": payload}
    kind = rng.random()
    for _ in range(rng.randrange(1, 4)):
        if kind < 0.15:
            whole = mutate(whole, rng)
        else:
            whole["d"] = mutate(whole["d"], rng)
    if kind > 0.95:
        return json.dumps(whole | {"d": 0}).encode().replace(b'"d": 0', b'"d": ' + rng.choice(DEEP))
    return encode(whole, rng) if kind < 0.5 else json.dumps(whole).encode()


def is_dispatch(data):
    """Say whether these bytes are a dispatch, that is, name an event; None: they are no frame at all."""
    try:
        found = msgspec.json.decode(data, type=Frame)
        dispatch = found.op == 0 and found.t is not None
        if not dispatch:  # what is in it is py-cord's to decode
            msgspec.json.decode(data.decode())
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    return dispatch


class KeptJournal(CollectingJournal):
    """Keeps what it is given, and has a real writer append it."""

    def __init__(self, writer):
        super().__init__()
        self._writer = writer

    def append(self, *inputs):
        super().append(*inputs)
        self._writer.append(*inputs)


@pytest.fixture
def running(redis_url, tmp_path):
    with RunningEngine(redis_url, tmp_path) as it:
        yield it


@pytest.fixture
def journal(running, redis_url, tmp_path):
    writer = JournalWriter(redis_url, "life", spool_path=tmp_path / "life.spool")
    writer.start()
    yield KeptJournal(writer)
    writer.close()


async def test_ten_thousand_fuzzed_frames_end_nothing_and_are_all_counted(
    server, place, ingest, journal, running
):
    rng, counters = random.Random(SEED), ingest.counters
    frames = [frame(rng, number) for number in range(FRAMES)]
    kinds = [is_dispatch(it) for it in frames]
    dispatches, unreadable = kinds.count(True), kinds.count(None)
    assert unreadable > 500
    assert dispatches > 6000
    before, facts = counters.received, len(journal.facts)
    (connection,) = server.gateway.connections
    for start in range(0, FRAMES, AT_ONCE):
        for it in frames[start : start + AT_ONCE]:
            connection.send(it)
        seen = kinds[: start + AT_ONCE].count(True)
        await journal.until(lambda seen=seen: counters.received - before == seen)
    assert counters.malformed["frame"] == unreadable
    assert sum(counters.malformed.values()) > 2000
    assert len(journal.facts) - facts > 500
    assert counters.reconnects == 0

    place.join()
    place.move()
    await journal.until(lambda: [it for it in journal.voice if it.user_id == place.people[0]][1:])
    await journal.until(lambda: channel_of(running, place) == place.rooms[1])
    (partition,) = running.engine.inside
    assert (partition.stats.corrupt, partition.stats.dead_letters) == (0, 0)
    assert running.engine.roster().restarts == {}
    assert running.engine.faults() == []


def channel_of(running, place):
    """Return the channel that the ledger has the first of the people in."""
    wanted = SessionFilter(guild_id=place.guild_id, user_id=place.people[0], status="active")
    found = running.reads.sessions(wanted).items
    return found and int(found[0]["channelId"])


@pytest.mark.parametrize("op", [3, 9, 11, 77])
async def test_a_control_frame_that_cannot_be_read_is_dropped(server, place, ingest, journal, op):
    (connection,) = server.gateway.connections
    connection.send(b'{"op": %d, "d": "\xff"}' % op)
    place.join()
    await journal.until(lambda: journal.voice)
    assert (ingest.counters.malformed, ingest.counters.reconnects) == ({"frame": 1}, 0)


def test_made_up_events_are_told_apart_up_to_a_limit():
    counters = Counters()
    for number in range(EVENTS_MAX * 2):
        counters.count_malformed(f"MADE_UP_{number}", ValueError("no"))
    assert len(counters.malformed) == EVENTS_MAX + 1
    assert counters.malformed["others"] == EVENTS_MAX
