"""Players in a running daemon: who is taken out of voice, and when; trackers of one's own; what is shown."""

import json
import sqlite3
import time
from contextlib import closing

import pytest

from engine.domain.tracking import SubjectState
from engine.domain.views import iso
from tests.daemon.conftest import TOKEN_OF_SIMULATOR
from tests.daemon.running import Daemon, Simulator, until

VOICE = 2
TIMEOUT_S = 4.0  # long enough to look at a deadline while it runs
UNUSABLE = 2
TROUBLE = "the mixer is off"
MODULE = f"""
from engine.trackers import Tracker, TrackerContext, TrackerOptions


class MixerTracker(Tracker):
    options = TrackerOptions.polling("mixer", poll_interval_s=0.2)

    def __init__(self) -> None:
        self.has_failed = False

    async def run(self, context: TrackerContext) -> None:
        if not self.has_failed:
            self.has_failed = True
            raise RuntimeError("{TROUBLE}")
"""


class Stage:
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


def begun(daemon, simulator):
    """Start a daemon and return the guilds that it follows."""
    (daemon.folder / "mixer.py").write_text(MODULE)
    daemon.run()
    return [Stage(daemon, simulator, it) for it in simulator.world()]


def tables(simulator):
    return {
        "discord": {"api_base_url": simulator.url, "gateway": "discord"},
        "trackers": {
            "default_timeout_s": TIMEOUT_S,
            "use_default_trackers": True,
            "custom": [{"class": "mixer:MixerTracker"}],
        },
    }


def trackers(daemon):
    return {it["label"]: it for it in daemon.client.get("/debug/trackers")["items"]}


def timers(daemon):
    """Return for whom deadlines run, and until when."""
    return [(it["guildId"], it["at"]) for it in daemon.client.get("/debug/timers")["items"]]


def expires_at(subject):
    """Return when a player expires by what its row says of its trackers: the first mark's time is up."""
    marks = json.loads(subject["marks"])
    assert all(timeout_ms is None for _, timeout_ms in marks.values())
    return min(since for since, _ in marks.values()) + round(TIMEOUT_S * 1000)


def taken_out(stage, player, subject):
    """Wait until the bot is taken out of voice, once, and check that it is by what the rows said before."""
    (sent,) = until(stage.disconnects, "a disconnect")
    at = expires_at(subject)
    assert subject["deadline"] == at
    assert sent["outbox_id"] == f"disconnect-{stage.id}-{player['since']}-{at}"
    assert sent["created_at"] == at
    until(lambda: not stage.plays(), "the bot out of voice")
    until(lambda: stage.disconnects()[0]["status"] == "done", "a disconnect that is done")
    until(lambda: not stage.rows("SELECT 1 FROM player WHERE guild_id = ?"), "no player any more")
    assert stage.rows("SELECT 1 FROM subject WHERE kind = 0 AND guild_id = ?") == []
    assert len(stage.disconnects()) == 1


@pytest.fixture(scope="module")
def playing(tmp_path_factory):
    """A daemon, and three guilds in which nothing happens but what a test does."""
    simulator = Simulator(tmp_path_factory.mktemp("simulator"), actions_per_s=0.001, guilds=3, members=20)
    daemon = Daemon(tables(simulator), {"DISCORD_TOKEN": TOKEN_OF_SIMULATOR})
    try:
        yield daemon, begun(daemon, simulator)
    finally:
        daemon.end()
        simulator.end()


def test_who_plays_to_nobody_is_taken_out_of_voice_and_who_has_a_listener_stays(playing):
    daemon, (alone, heard, _) = playing
    heard.join(heard.outside[0])
    heard.join(heard.own)
    heard.report("playing")
    alone.join(alone.own)
    player, subject = alone.due()
    told = [(alone.id, iso(subject["deadline"]))]
    until(lambda: timers(daemon) == told, "the only deadline")
    shown = daemon.rollcall("debug", "timers")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert {alone.id, "player", "expires"} <= set(shown.stdout.split())
    taken_out(alone, player, subject)
    # It was in voice before the other was, for longer than the timeout.
    assert heard.plays()
    assert heard.disconnects() == []
    assert timers(daemon) == []


def test_a_tracker_that_fails_is_shown_with_its_error_and_sessions_go_on(playing):
    daemon, (_, stage, _) = playing
    mixer = until(lambda: (it := trackers(daemon)["mixer"])["runs"] > 1 and it, "a tracker started again")
    assert (mixer["class"], mixer["mode"], mixer["state"]) == ("mixer:MixerTracker", "polling", "running")
    assert (mixer["failures"], mixer["restarts"]) == (1, 1)
    assert TROUBLE in mixer["lastError"]
    listener = stage.outside[1]
    stage.join(listener)
    until(lambda: listener in {it["userId"] for it in stage.actor()["openSessions"]}, "a session")
    shown = daemon.rollcall("debug", "trackers")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert {"users", "idle", "abandoned", "mixer"} <= set(shown.stdout.split())


def test_a_deadline_passes_at_its_time_though_the_engine_is_killed(playing):
    daemon, (*_, stage) = playing
    stage.join(stage.own)
    player, subject = stage.due()
    killed = daemon.kill_child("engine")
    assert time.time_ns() // 1_000_000 < subject["deadline"]
    daemon.back("engine", killed)
    taken_out(stage, player, subject)


def test_a_class_that_is_not_there_is_told_in_one_line(installation):
    place = installation(trackers={"custom": [{"class": "mixer:DrumTracker"}]})
    (place.folder / "mixer.py").write_text(MODULE)
    checked = place.rollcall("check-config")
    assert checked.returncode == UNUSABLE
    (line,) = (checked.stdout + checked.stderr).splitlines()
    assert line.endswith("config.toml: trackers.custom.0.class: mixer has no class DrumTracker")
