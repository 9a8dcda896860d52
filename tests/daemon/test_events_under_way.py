"""Redis is emptied and killed while an event goes on, and the ingest while its badges, roles, go out."""

from typing import NamedTuple

import pytest

from engine.storage.redis_client import connect
from tests.daemon.event_truth import EventTruth
from tests.daemon.live_keys import active_key, keys_of, participant_key
from tests.daemon.party import Party
from tests.daemon.programme import STRETCH_S, Organizer
from tests.daemon.quiet_guild import QUIET, QuietGuild
from tests.daemon.running import Daemon, Simulator, until

pytestmark = [pytest.mark.crash, pytest.mark.slow]


class Meeting:
    """An event with some people in it, and some who come later."""

    def __init__(self, daemon, guild):
        self.daemon, self.guild = daemon, guild
        self.organizer = Organizer(daemon, guild.id)
        self.hall, self.side, *_ = guild.channels
        for user_id in guild.inside:
            guild.leave(user_id)
        first, second, third, *self.later = guild.outside
        guild.join(first, self.hall)
        guild.join(second, self.hall)
        # Too short for badges: their roles would come while another test looks at the roles.
        self.event_id = self.organizer.create("Meeting", self.hall, self.side, minDuration=3600.0)
        self.organizer.start(self.event_id)
        guild.join(third, self.side)
        until(lambda: third in self.followed(), "the third")

    def keys(self):
        return keys_of(self.daemon.config.redis_url)

    def followed(self):
        """Return who has a key."""
        beginning = participant_key(self.event_id, "")
        return {it.removeprefix(beginning) for it in self.keys() if it.startswith(beginning)}

    def answered(self):
        """Say that whoever asks for active events is told of it."""
        for channel_id in (None, self.hall, self.side):
            asked = {"guildId": self.guild.id, "voiceChannelId": channel_id}
            found = self.organizer.get("/events/active", **asked)["items"]
            assert [it["eventId"] for it in found] == [self.event_id]
        return True

    def joined(self):
        """Let one more come, and see that the live state follows."""
        who = self.later.pop()
        self.guild.join(who, self.hall)
        until(lambda: who in self.followed(), "one more")
        assert self.event_id in self.keys()[active_key(self.guild.id, self.hall)]
        return who


class UnderWay(NamedTuple):
    """A daemon at work, that grants a role as badge."""

    daemon: Daemon
    simulator: Simulator
    role_id: str


@pytest.fixture(scope="module")
def under_way(tmp_path_factory):
    simulator = Simulator(tmp_path_factory.mktemp("simulator"), **QUIET, members=24)
    guild = QuietGuild(simulator)
    role_id = guild.add_role("Regular")
    tables = {
        "discord": {"api_base_url": simulator.url, "gateway": "discord"},
        "events": {"badges": "role", "badge_roles": {guild.id: role_id}},
    }
    daemon = Daemon(tables, {"DISCORD_TOKEN": "simulator"})
    try:
        yield UnderWay(daemon.run(), simulator, role_id)
        assert daemon.program.stop() == 0
    finally:
        daemon.end()
        simulator.end()


def test_what_was_lost_with_redis_comes_back_and_is_answered_meanwhile(under_way):
    daemon, simulator, _ = under_way
    meeting = Meeting(daemon, QuietGuild(simulator))
    before = meeting.keys()
    with connect(daemon.config.redis_url) as client:
        client.flushall()
    until(lambda: meeting.answered() and meeting.keys() == before, "the keys again")
    meeting.joined()

    killed = daemon.kill_child("redis")
    until(lambda: meeting.answered() and daemon.pid("redis") != killed, "a new process of redis")
    until(daemon.ready, "a daemon at work again")
    last = meeting.joined()
    assert len(meeting.followed()) == 5
    assert meeting.answered()
    meeting.guild.pass_time(STRETCH_S)

    meeting.organizer.stop(meeting.event_id)
    until(lambda: meeting.keys() == {}, "the end of the keys")
    people, truth = meeting.organizer.participants(meeting.event_id), simulator.truth()
    assert last in {it["userId"] for it in people}
    event = meeting.organizer.event(meeting.event_id)
    assert EventTruth(truth, event).compare(people).problems == []
    metrics = daemon.metrics()
    assert metrics["rollcall_attendance_drift_seconds"] == 0
    assert metrics["rollcall_attendance_checks_total"] > 0


def test_roles_are_granted_once_the_event_is_over(under_way):
    """An ingest dies after Discord gave the roles and before it heard of that; the next one makes sure."""
    daemon, simulator, role_id = under_way
    before = holders(simulator, role_id)
    simulator.fault("fail_rest", path="/roles/", kind="lost_reply", count=5)
    party = Party(daemon, QuietGuild(simulator))
    until(lambda: holders(simulator, role_id) - before, "the first role")
    daemon.back("ingest", daemon.kill_child("ingest"))
    party.until_all("delivered")
    assert holders(simulator, role_id) - before == party.stay - before
    assert party.looks_in not in holders(simulator, role_id)


def holders(simulator, role_id):
    """Return who has a role on Discord."""
    (world,) = simulator.world()
    return {it["user"]["id"] for it in world["members"] if role_id in it["roles"]}
