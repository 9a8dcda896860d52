"""A guild in which nothing happens but what a test does."""

import time
from typing import Any

from tests.daemon.running import Simulator, until

VOICE, STAGE = 2, 13
# The simulator's habits that leave the people alone: one deed in a quarter of an hour.
QUIET = {"actions_per_s": 0.001, "guilds": 1}


class QuietGuild:
    """``held``: who has held which roles since when, as ``[(since, roles)]`` by user, in ms UTC.

    Ids are strings, as in JSON.
    """

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        (world,) = simulator.world()
        self.id: str = world["id"]
        self.afk: str | None = world["afk_channel_id"]
        voice = [it for it in world["channels"] if it["type"] in (VOICE, STAGE) and it["id"] != self.afk]
        self.channels = [it["id"] for it in voice if it["type"] == VOICE]
        (self.stage,) = (it["id"] for it in voice if it["type"] == STAGE)
        self.places = {it["user_id"]: it["channel_id"] for it in world["voice_states"]}
        people = [it for it in world["members"] if not it["user"].get("bot")]
        self.bots = [it["user"]["id"] for it in world["members"] if it["user"].get("bot")]
        ids = [it["user"]["id"] for it in people]
        self.inside = [it for it in ids if it in self.places]
        self.outside = [it for it in ids if it not in self.places]
        self.held = {it["user"]["id"]: [(0, frozenset(it["roles"]))] for it in people}

    def act(self, name: str, user_id: str, /, **arguments: Any) -> None:
        self.simulator.act(name, guild_id=self.id, user_id=user_id, **arguments)

    def elsewhere(self, user_id: str) -> str:
        """Return a channel that the user was not in at first."""
        return next(it for it in self.channels if it != self.places[user_id])

    def join(self, user_id: str, channel_id: str, **flags: bool) -> None:
        self.act("join", user_id, channel_id=channel_id, **flags)

    def move(self, user_id: str, channel_id: str) -> None:
        self.act("move", user_id, channel_id=channel_id)

    def leave(self, user_id: str) -> None:
        self.act("leave", user_id)

    def look_in(self, user_id: str, channel_id: str) -> None:
        """Join and leave at once: too short a visit for a session."""
        self.join(user_id, channel_id)
        self.leave(user_id)

    def set_voice(self, user_id: str, **flags: bool) -> None:
        self.act("set_voice", user_id, **flags)

    def add_role(self, name: str) -> str:
        return self.simulator.act("add_role", guild_id=self.id, name=name)["id"]

    def give_role(self, user_id: str, role_id: str) -> None:
        self.act("give_role", user_id, role_id=role_id)
        self._hold(user_id, self.roles(user_id) | {role_id})

    def take_role(self, user_id: str, role_id: str) -> None:
        self.act("take_role", user_id, role_id=role_id)
        self._hold(user_id, self.roles(user_id) - {role_id})

    def roles(self, user_id: str) -> frozenset[str]:
        """Return the roles that somebody holds, as far as they were given here."""
        return self.held[user_id][-1][1]

    def schedule(self, name: str, channel_id: str, **more: Any) -> str:
        """Announce one of Discord's own scheduled events; return its id."""
        kind = 1 if channel_id == self.stage else 2
        arguments = {"guild_id": self.id, "name": name, "channel_id": channel_id, "entity_type": kind}
        return self.simulator.act("create_scheduled_event", **arguments, **more)["id"]

    def turn(self, what: str, event_id: str) -> None:
        """Start, complete, cancel or delete a scheduled event."""
        self.simulator.act(f"{what}_scheduled_event", guild_id=self.id, event_id=event_id)

    def now(self) -> int:
        """Return the clock's time in ms UTC; simulator and daemon have the same."""
        return time.time_ns() // 1_000_000

    def pass_time(self, seconds: float) -> None:
        """Let the people stay as they are for a while: what counts is time."""
        ends_at = self.now() + round(seconds * 1000)
        until(lambda: self.now() >= ends_at, "the time to pass")

    def _hold(self, user_id: str, roles: frozenset[str]) -> None:
        self.held[user_id].append((self.now(), roles))
