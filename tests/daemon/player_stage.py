"""A guild of the simulator in which the bot plays, as a test of players acts in it and looks at it."""

import json
import sqlite3
from contextlib import closing

from engine.domain.tracking import SubjectState
from tests.daemon.running import until

VOICE = 2


class PlayerStage:
    """A guild in which the bot plays. Ids are strings, as in JSON."""

    def __init__(self, daemon, simulator, world):
        self._daemon, self._simulator = daemon, simulator
        self.id = world["id"]
        inside = {it["user_id"] for it in world["voice_states"]}
        taken = {it["channel_id"] for it in world["voice_states"]} | {world["afk_channel_id"]}
        voice = [it["id"] for it in world["channels"] if it["type"] == VOICE]
        self.channel = next((it for it in voice if it not in taken), voice[0])
        people = [it["user"]["id"] for it in world["members"] if not it["user"].get("bot")]
        self.outside = [it for it in people if it not in inside]
        self.own = self.actor()["ownUserId"]
        for it in world["voice_states"]:
            if it["channel_id"] == self.channel:
                self._act("leave", it["user_id"])

    def actor(self):
        return self._daemon.client.get(f"/debug/actors/guild:{self.id}")["describe"]

    def join(self, user_id):
        self._act("join", user_id, channel_id=self.channel)

    def leave(self, user_id):
        self._act("leave", user_id)

    def deafen(self, user_id):
        self._act("set_voice", user_id, self_deaf=True)

    def report(self, state):
        """Tell what the bot plays, as soon as it is known to be in voice."""
        until(lambda: self.rows("SELECT 1 FROM player WHERE guild_id = ?"), "a player")
        self._daemon.client.send("PUT", f"/guilds/{self.id}/player", {"state": state})

    def due(self):
        """Return the player's row and its subject's, while its deadline runs."""
        (player,) = until(lambda: self.rows("SELECT * FROM player WHERE guild_id = ?"), "a player")
        query = f"SELECT * FROM subject WHERE kind = 0 AND guild_id = ? AND state = {SubjectState.INACTIVE:d}"
        (subject,) = until(lambda: self.rows(query), "a deadline that runs")
        return player, subject

    def disconnects(self):
        return self.rows("SELECT * FROM outbox WHERE kind = 'disconnect' AND guild_id = ?")

    def plays(self):
        """Say whether the bot is in voice there, as Discord has it."""
        (world,) = (it for it in self._simulator.world() if it["id"] == self.id)
        return self.own in {it["user_id"] for it in world["voice_states"]}

    def rows(self, query):
        with closing(sqlite3.connect(self._daemon.config.database)) as database:
            database.row_factory = sqlite3.Row
            return [dict(it) for it in database.execute(query, (int(self.id),))]

    def _act(self, name, user_id, **arguments):
        self._simulator.act(name, guild_id=self.id, user_id=user_id, **arguments)

    def taken_out(self, player, subject):
        """Wait until the bot is taken out of voice, once, and check that it is by what the rows said."""
        (sent,) = until(self.disconnects, "a disconnect")
        at = self.expires_at(subject)
        assert subject["deadline"] == at
        assert sent["outbox_id"] == f"disconnect-{self.id}-{player['since']}-{at}"
        assert sent["created_at"] == at
        until(lambda: not self.plays(), "the bot out of voice")
        until(lambda: self.disconnects()[0]["status"] == "done", "a disconnect that is done")
        until(lambda: not self.rows("SELECT 1 FROM player WHERE guild_id = ?"), "no player any more")
        assert self.rows("SELECT 1 FROM subject WHERE kind = 0 AND guild_id = ?") == []
        assert len(self.disconnects()) == 1

    def expires_at(self, subject):
        """Return when the player expires by what its row says of its trackers: the first mark's time."""
        marks = json.loads(subject["marks"])
        assert all(timeout_ms is None for _, timeout_ms in marks.values())
        timeout_s = self._daemon.config.trackers.default_timeout_s
        return min(since for since, _ in marks.values()) + round(timeout_s * 1000)
