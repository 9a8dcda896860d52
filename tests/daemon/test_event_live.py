"""The live state of an event while Redis is emptied and killed: the ledger answers, the keys come back."""

import pytest

from engine.storage.redis_client import connect
from tests.daemon.event_truth import EventTruth
from tests.daemon.live_keys import active_key, keys_of, participant_key
from tests.daemon.programme import STRETCH_S, Organizer
from tests.daemon.quiet_guild import QUIET, QuietGuild
from tests.daemon.running import until

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
        self.event_id = self.organizer.create("Meeting", self.hall, self.side)
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


def test_what_was_lost_with_redis_comes_back_and_is_answered_meanwhile(make_simulator, tracking):
    simulator = make_simulator(**QUIET, members=20)
    daemon = tracking(simulator).run()
    meeting = Meeting(daemon, QuietGuild(simulator))
    before = meeting.keys()
    with connect(daemon.config.redis_url) as client:
        client.flushall()
    until(lambda: meeting.answered() and meeting.keys() == before, "the keys again")
    meeting.joined()
    meeting.guild.pass_time(STRETCH_S)

    killed = daemon.kill_child("redis")
    until(lambda: meeting.answered() and daemon.pid("redis") != killed, "a new process of redis")
    until(daemon.ready, "a daemon at work again")
    last = meeting.joined()
    assert len(meeting.followed()) == 5
    assert meeting.answered()
    meeting.guild.pass_time(STRETCH_S)

    meeting.organizer.stop(meeting.event_id)
    until(lambda: meeting.keys() == {}, "the end of the keys")
    meeting.organizer.until_settled(meeting.event_id)
    people, truth = meeting.organizer.participants(meeting.event_id), simulator.truth()
    assert last in {it["userId"] for it in people}
    event = meeting.organizer.event(meeting.event_id)
    assert EventTruth(truth, event).compare(people).problems == []
    metrics = daemon.metrics()
    assert metrics["rollcall_attendance_drift_seconds"] == 0
    assert metrics["rollcall_attendance_checks_total"] > 0
    assert daemon.program.stop() == 0
