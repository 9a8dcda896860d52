"""A short event whose badges are awarded."""

from tests.daemon.programme import STRETCH_S, Organizer
from tests.daemon.running import until


class Party:
    """A short event: some stay long enough for the badge, one only looks in."""

    def __init__(self, daemon, guild):
        self.organizer = Organizer(daemon, guild.id)
        hall, *_ = guild.channels
        for user_id in guild.inside:
            guild.leave(user_id)
        self.stay, self.looks_in = set(guild.outside[:3]), guild.outside[3]
        for user_id in self.stay:
            guild.join(user_id, hall)
        self.event_id = self.organizer.create("Party", hall, minDuration=1.0)
        self.organizer.start(self.event_id)
        guild.look_in(self.looks_in, hall)
        guild.pass_time(STRETCH_S)
        self.organizer.stop(self.event_id)

    def badges(self):
        """Return the delivery's status by user."""
        found = self.organizer.get(f"/events/{self.event_id}/badges")["items"]
        return {it["userId"]: it["status"] for it in found}

    def until_all(self, status):
        until(lambda: self.badges() == dict.fromkeys(self.stay, status), f"all badges {status}")
