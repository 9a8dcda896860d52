"""A player that has expired is told outside, whatever dies between the expiry and its being told."""

import json

import pytest

from tests.daemon.conftest import TOKEN_OF_SIMULATOR
from tests.daemon.player_stage import PlayerStage
from tests.daemon.receiver import SECRET, receiving, signed
from tests.daemon.running import until

NOTICES = "SELECT * FROM outbox WHERE kind = 'notice' AND guild_id = ?"


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


def test_an_engine_killed_before_it_was_told_tells_it_again_under_the_same_id(
    make_simulator, make_daemon, receiver
):
    simulator = make_simulator(actions_per_s=0.001, guilds=1, members=20)
    daemon = make_daemon(
        {"DISCORD_TOKEN": TOKEN_OF_SIMULATOR, "ROLLCALL_WEBHOOK_SECRET": SECRET},
        discord={"api_base_url": simulator.url, "gateway": "discord"},
        trackers={"default_timeout_s": 0.5, "on_expiry": "notify", "webhook_url": receiver.url},
    ).run()
    (world,) = simulator.world()
    stage = PlayerStage(daemon, simulator, world)
    stage.join(stage.own)
    until(lambda: receiver.received, "a notice on its way")
    (notice,) = stage.rows(NOTICES)
    assert notice["status"] == "pending"
    killed = daemon.kill_child("engine")
    receiver.let_go.set()
    daemon.back("engine", killed)
    until(lambda: [it["status"] for it in stage.rows(NOTICES)] == ["done"], "a notice that is told")
    assert {headers["Idempotency-Key"] for headers, _ in receiver.received} == {notice["outbox_id"]}
    assert len(receiver.received) == 3  # the dead one's, one that failed, the last
    for headers, body in receiver.received:
        assert headers["X-Rollcall-Signature"] == f"sha256={signed(headers, body)}"
        told = json.loads(body)
        assert (told["noticeId"], told["guildId"]) == (notice["outbox_id"], stage.id)
    assert stage.plays()  # it is told, not taken out
    assert stage.disconnects() == []
    assert daemon.program.text().count("player_expired") == 2  # a line in each life
