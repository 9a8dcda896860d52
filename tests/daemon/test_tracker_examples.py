"""The examples as they stand in ``examples/``, in a daemon of their own, over a simulated community."""

import json
import shutil
from pathlib import Path

import pytest

from tests.daemon.conftest import TOKEN_OF_SIMULATOR
from tests.daemon.player_stage import PlayerStage
from tests.daemon.running import Daemon, Simulator, until

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))
TIMEOUT_S = 2.0


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    """For each example a guild in which no other tracker counts, and one where nobody goes."""
    simulator = Simulator(tmp_path_factory.mktemp("simulator"), actions_per_s=0.001, guilds=3, members=20)
    names = [it.stem for it in EXAMPLES]
    worlds = dict(zip([*names, "heard"], simulator.world(), strict=True))
    daemon = Daemon(
        {
            "discord": {"api_base_url": simulator.url, "gateway": "discord"},
            "sessions": {"min_session_s": 0},  # who leaves at once has a row, too
            "trackers": {
                "default_timeout_s": TIMEOUT_S,
                "default_poll_interval_s": 0.5,
                "custom": [{"class": f"{it}:AnyoneListening", "label": it} for it in names],
            },
            "trackers.overrides": {worlds[it]["id"]: {"trackers": [it]} for it in names},
        },
        {"DISCORD_TOKEN": TOKEN_OF_SIMULATOR},
    )
    try:
        for it in EXAMPLES:
            shutil.copy(it, daemon.folder)
        daemon.run()
        yield {name: PlayerStage(daemon, simulator, world) for name, world in worlds.items()}
    finally:
        daemon.end()
        simulator.end()


def ended_at(stage, user_id):
    """Return when somebody was last heard, as the ledger has it: left, or deafened."""
    query = f"SELECT span_at, left_at FROM session WHERE guild_id = ? AND user_id = {user_id}"
    (row,) = stage.rows(query)
    return row["left_at"] or row["span_at"]


def has_left(stage, user_id):
    return stage.rows(f"SELECT 1 FROM session WHERE guild_id = ? AND user_id = {user_id} AND left_at > 0")


def test_each_example_is_a_dozen_lines_or_so():
    assert [it.stem for it in EXAMPLES] == ["anyone_listening_polling", "anyone_listening_realtime"]
    for it in EXAMPLES:
        text = it.read_text().partition("class ")[2]
        assert len([line for line in text.splitlines() if line.strip()]) <= 18


@pytest.mark.parametrize("name", [it.stem for it in EXAMPLES])
def test_an_example_takes_the_bot_out_once_everyone_has_left_or_deafened(stages, name):
    stage, heard = stages[name], stages["heard"]
    leaves, deafens = stage.outside[:2]
    if not heard.plays():
        heard.join(heard.outside[0])
        heard.join(heard.own)
    for it in (leaves, deafens, stage.own):
        stage.join(it)
    until(lambda: stage.rows("SELECT 1 FROM player WHERE guild_id = ?"), "a player")
    stage.leave(leaves)
    until(lambda: has_left(stage, leaves), "a leave")
    assert stage.disconnects() == []
    stage.deafen(deafens)
    player, subject = stage.due()
    (counted,) = {label: it for label, it in json.loads(subject["marks"]).items() if label == name}.values()
    assert counted[0] >= max(ended_at(stage, leaves), ended_at(stage, deafens))
    assert subject["deadline"] == counted[0] + round(TIMEOUT_S * 1000)
    (sent,) = until(stage.disconnects, "a disconnect")
    assert sent["created_at"] == subject["deadline"]
    assert sent["outbox_id"] == f"disconnect-{stage.id}-{player['since']}-{subject['deadline']}"
    until(lambda: not stage.plays(), "the bot out of voice")
    assert heard.plays()
    assert heard.disconnects() == []
