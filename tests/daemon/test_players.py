"""Players in a running daemon: who is taken out of voice, and when; trackers of one's own; what is shown."""

import time

import pytest

from engine.domain.views import iso
from tests.daemon.conftest import TOKEN_OF_SIMULATOR
from tests.daemon.player_stage import PlayerStage
from tests.daemon.running import Daemon, Simulator, until

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


def begun(daemon, simulator):
    """Start a daemon and return the guilds that it follows."""
    (daemon.folder / "mixer.py").write_text(MODULE)
    daemon.run()
    return [PlayerStage(daemon, simulator, it) for it in simulator.world()]


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
    alone.taken_out(player, subject)
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
    stage.taken_out(player, subject)


def test_a_class_that_is_not_there_is_told_in_one_line(installation):
    place = installation(trackers={"custom": [{"class": "mixer:DrumTracker"}]})
    (place.folder / "mixer.py").write_text(MODULE)
    checked = place.rollcall("check-config")
    assert checked.returncode == UNUSABLE
    (line,) = (checked.stdout + checked.stderr).splitlines()
    assert line.endswith("config.toml: trackers.custom.0.class: mixer has no class DrumTracker")
