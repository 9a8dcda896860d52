"""A person of the simulated community is forgotten while all goes on, and is not to be found again."""

import json

import msgspec.msgpack
import pytest

from engine.storage.journal import stream_key
from engine.storage.redis_client import connect
from tests.daemon.programme import Organizer
from tests.daemon.quiet_guild import QUIET, QuietGuild
from tests.daemon.replay import differences, replay, tables_of
from tests.daemon.running import until

pytestmark = [pytest.mark.crash, pytest.mark.slow]

STRETCH_S = 1.5


class Traces:
    """Where somebody's id stands, in any form, in all that a daemon keeps and says."""

    def __init__(self, daemon, user_id):
        self._daemon = daemon
        number = int(user_id)
        self.marks = {user_id.encode(), msgspec.msgpack.encode(number)}
        self.marks |= {number.to_bytes(8, order) for order in ("big", "little")}

    def of(self, data):
        return sum(data.count(mark) for mark in self.marks)

    def ledger(self):
        """Count in the ledger's file and its log, free pages included."""
        database = self._daemon.config.database
        return sum(self.of(it.read_bytes()) for it in database.parent.glob(f"{database.name}*"))

    def redis(self):
        """Return the keys with traces, all but the journal's."""
        with connect(self._daemon.config.redis_url) as client:
            journal = {stream_key(number).encode() for number in range(8)}
            keys = set(client.scan_iter()) - journal
            return {key for key in keys if self.of(key) or self.of(_dumped(client, key))}

    def journal(self):
        with connect(self._daemon.config.redis_url) as client:
            return self.of(_dumped(client, stream_key(0).encode()))

    def log(self):
        return self.of(self._daemon.program.log.read_bytes())

    def files(self):
        """Return the files with traces besides the ledger and Redis's own, which keeps the journal."""
        data = self._daemon.config.data_dir
        known = {*data.glob("rollcall.db*"), *data.glob("redis/**/*")}
        files = {it for it in data.rglob("*") if it.is_file()} - known
        return {it for it in files if self.of(it.read_bytes())}


def _dumped(client, key):
    """Return all that a key holds, as it is."""
    reads = {
        b"string": lambda: client.get(key),
        b"hash": lambda: client.hgetall(key),
        b"set": lambda: client.smembers(key),
        b"stream": lambda: [fields for _, fields in client.xrange(key)],
    }
    return _flat(reads[client.type(key)]())


def _flat(value):
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    return value if isinstance(value, bytes) else b"\0".join(map(_flat, value))


@pytest.fixture
def guild(make_simulator):
    return QuietGuild(make_simulator(**QUIET, members=20))


@pytest.fixture
def daemon(guild, tracking):
    """Tracks the guild, and grants a role as the badge of its events."""
    badges = {"events": {"badges": "role"}, "events.badge_roles": {guild.id: guild.add_role("was there")}}
    return tracking(guild.simulator, **badges).run()


@pytest.fixture
def organizer(daemon, guild):
    return Organizer(daemon, guild.id)


def participants(organizer, event_id):
    return {it["userId"]: it for it in organizer.participants(event_id)}


def test_nothing_of_them_is_left_though_the_engine_is_killed_right_after(
    daemon, guild, organizer, recorded, tmp_path
):
    gone, stays = guild.inside[:2]
    over, running = hold(guild, organizer, gone, stays)
    before, traces = participants(organizer, over), Traces(daemon, gone)
    assert traces.ledger() > 0
    assert traces.redis() != set()
    counts = forget_and_kill(daemon, gone)
    assert counts["anonymizedSessions"] >= 1
    assert (counts["participants"], counts["badges"], counts["deliveries"]) == (2, 1, 1)
    assert_nowhere(traces)
    assert_nameless(before, participants(organizer, over), gone)
    assert_somebody_new(guild, organizer, running, gone, stays)
    assert daemon.program.stop() == 0
    assert_replayed(recorded(daemon), tmp_path)


def hold(guild, organizer, gone, stays):
    """Hold an event with both of them until all is known of it, and one more that goes on."""
    there = guild.places[gone]
    guild.move(gone, guild.elsewhere(gone))
    guild.move(stays, there)
    guild.move(gone, there)
    over = organizer.create("Over", there)
    organizer.start(over)
    guild.set_voice(gone, self_mute=True)
    guild.pass_time(STRETCH_S)
    organizer.stop(over)
    organizer.until_settled(over)
    until(lambda: _delivered(organizer, over, gone), "the role as a badge")
    running = organizer.create("Running", there)
    organizer.start(running)
    guild.pass_time(STRETCH_S)
    return over, running


def forget_and_kill(daemon, user_id):
    """Have somebody forgotten, and kill the engine right after; return what it had counted."""
    told = json.loads(daemon.rollcall("forget", user_id, "--yes", "--json").stdout)
    killed = daemon.kill_child("engine")
    daemon.back("engine", killed)
    until(daemon.ready, "an engine that has caught up")
    assert told["userId"] == user_id
    return told["forgotten"]


def assert_nowhere(traces):
    # That they are forgotten is remembered, once, as long as the journal has its old entries.
    until(lambda: traces.ledger() == 1, "a ledger without them")
    until(lambda: traces.redis() == set(), "a live state without them")
    assert traces.files() == set()
    assert traces.log() == 0
    assert traces.journal() > 0


def assert_nameless(before, after, gone):
    """Results are as they were, but for who it was."""
    nameless = {"userId": "forgotten-1"} | dict.fromkeys({"userName"} & before[gone].keys())
    others = {user_id: row for user_id, row in before.items() if user_id != gone}
    assert after == others | {"forgotten-1": before[gone] | nameless}


def assert_somebody_new(guild, organizer, event_id, gone, stays):
    """They come back to an event that goes on: there are two of them now."""
    guild.set_voice(gone, self_mute=False)
    until(lambda: gone in participants(organizer, event_id), "somebody new")
    guild.pass_time(STRETCH_S)
    organizer.stop(event_id)
    organizer.until_settled(event_id)
    rows = participants(organizer, event_id)
    assert {gone, stays, "forgotten-1"} <= rows.keys()
    assert rows["forgotten-1"]["duration"] + rows[gone]["duration"] <= rows[stays]["duration"]
    assert min(rows[it]["duration"] for it in ("forgotten-1", gone)) >= STRETCH_S


def assert_replayed(recording, folder):
    """However batches fall, the journal alone comes to the same rows."""
    for batch_max_entries in (500, 1):
        again = replay(recording, folder / f"{batch_max_entries}.db", batch_max_entries)
        assert differences(tables_of(recording.database), tables_of(again)) == []


def _delivered(organizer, event_id, user_id):
    badges = organizer.get(f"/events/{event_id}/badges")["items"]
    return any(it["userId"] == user_id and it["status"] == "delivered" for it in badges)


def test_all_partitions_forget_and_the_answer_is_of_all(make_simulator, tracking):
    simulator = make_simulator(**QUIET | {"guilds": 6}, members=10)
    daemon = tracking(simulator, storage={"partitions": 3}).run()
    session = daemon.client.get("/sessions", status="active", limit=1)["items"][0]
    told = daemon.asked("forget", session["userId"], "--yes")
    assert told["forgotten"]["sessions"] >= 1
    assert daemon.client.get("/sessions", userId=session["userId"])["items"] == []
    again = daemon.asked("forget", session["userId"], "--yes")
    assert set(again["forgotten"].values()) == {0}
    assert daemon.program.stop() == 0


def test_who_opted_out_is_nowhere_at_all(guild, tracking):
    out, other = guild.inside[:2]
    daemon = tracking(guild.simulator, privacy={"opt_out": [out]}).run()
    organizer, traces = Organizer(daemon, guild.id), Traces(daemon, out)
    event_id = organizer.create("Watch", *guild.channels)
    organizer.start(event_id)
    guild.move(out, guild.elsewhere(out))
    guild.set_voice(out, self_deaf=True)
    guild.leave(out)
    guild.join(out, guild.channels[0])
    guild.set_voice(other, self_mute=True)
    guild.simulator.fault("drop", resumable=False)
    until(lambda: other in participants(organizer, event_id), "a participant")
    organizer.stop(event_id)
    organizer.until_settled(event_id)
    until(daemon.ready, "a gateway that is back")
    assert out not in participants(organizer, event_id)
    assert (traces.journal(), traces.redis(), traces.ledger(), traces.log()) == (0, set(), 0, 0)
    assert traces.files() == set()
    assert Traces(daemon, other).journal() > 0, "a journal without people proves nothing"
    assert daemon.program.stop() == 0
