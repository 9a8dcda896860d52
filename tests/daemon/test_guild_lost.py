"""A guild that removed the bot while nobody listened: Discord sends no GUILD_DELETE for it, then or later."""

from datetime import datetime

import pytest

from engine.domain.inputs import GuildsKnown
from tests.daemon.replay import differences, inputs, replay, tables_of
from tests.daemon.running import until
from tests.daemon.truth import LATE_MS

pytestmark = [pytest.mark.crash, pytest.mark.slow]


def of(daemon, guild_id, status):
    return daemon.client.get("/sessions", guildId=guild_id, status=status, limit=200)["items"]


def ids(sessions):
    return {it["sessionId"] for it in sessions}


def moment(text):
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_its_sessions_are_cancelled_within_the_gap(make_simulator, tracking, recorded, tmp_path):
    simulator = make_simulator(actions_per_s=0.001, guilds=2, members=20)
    daemon = tracking(simulator).run()
    stays, goes = (it["id"] for it in simulator.world())
    before = {it: of(daemon, it, "active") for it in (stays, goes)}
    assert all(before.values()), "a guild without sessions proves nothing"

    simulator.fault("refuse_gateway", seconds=2.0)
    killed = daemon.kill_child("ingest")
    until(lambda: not simulator.connected(), "the end of the connection")
    simulator.act("remove_guild", guild_id=goes)
    removed_at = simulator.truth()["now"]
    daemon.back("ingest", killed)
    until(lambda: not of(daemon, goes, "active"), "the loss of the guild")
    until(daemon.ready, "a daemon that is at work again")
    known_at = simulator.truth()["now"]
    cancelled = of(daemon, goes, "cancelled")
    stayed = ids(of(daemon, stays, "active"))
    assert daemon.program.stop() == 0

    assert ids(cancelled) == ids(before[goes])
    assert stayed == ids(before[stays])
    for session in cancelled:
        left_at, slack_ms = moment(session["leaveTime"]), round(session["leftSlack"] * 1000)
        assert left_at <= removed_at <= left_at + slack_ms + LATE_MS
        assert left_at + slack_ms <= known_at + LATE_MS
    recording = recorded(daemon)
    assert sum(isinstance(it, GuildsKnown) for it in inputs(recording.records)) == 2
    again = replay(recording, tmp_path / "again.db")
    assert differences(tables_of(recording.database), tables_of(again)) == []
