"""``kill -9`` of the engine at random moments: every row is that of an engine that was never killed."""

import os
import random
import time

import pytest

from tests.daemon.replay import (
    Recording,
    begun_since,
    cursor_of,
    cut_after,
    differences,
    replay,
    tables_of,
    watched,
)
from tests.daemon.running import until
from tests.daemon.truth import Comparison, rows_of

pytestmark = [pytest.mark.crash, pytest.mark.slow]

# The parent restarts a child five times in 30 s, then gives up.
KILLS_BY_PARENT = 5
# For a long run: ROLLCALL_KILLS=200.
KILLS = int(os.environ.get("ROLLCALL_KILLS", "8"))
SEED = int(os.environ.get("ROLLCALL_SEED", "1"))
LONGEST_LIFE_S = 2.0  # from its start: an engine needs about one to be at work


def test_under_its_parent_it_comes_back_by_itself(make_daemon, recorded, tmp_path):
    daemon = make_daemon(simulator={"speed": 25.0, "members": 80}).run()
    moments = random.Random(SEED)
    for _ in range(KILLS_BY_PARENT):
        live_for(moments)
        daemon.back("engine", daemon.kill_child("engine"))
    until(daemon.ready, "the engine at work again")
    truth = daemon.truth()
    assert daemon.children()["engine"]["restarts"] == KILLS_BY_PARENT
    assert daemon.program.stop() == 0
    check(recorded(daemon), truth, tmp_path)


@pytest.mark.timeout(60 + 5 * KILLS)
def test_alone_it_may_be_killed_as_often_as_one_likes(
    installation, make_server, make_simulator, programs, tmp_path
):
    """The ingest and the engine each run alone, beside a Redis of somebody else's."""
    simulator = make_simulator(actions_per_s=50, members=80)
    server = make_server().start()
    discord = {"api_base_url": simulator.url, "gateway": "discord"}
    place = installation({"DISCORD_TOKEN": "simulator"}, discord=discord, storage={"redis": server.url})
    ingest = programs(place.start("ingest"))
    moments = random.Random(SEED + 1)
    for _ in range(KILLS):
        engine = programs(place.start("engine"))
        live_for(moments)
        assert engine.exit_code is None, engine.text()
        engine.kill()
    engine = programs(place.start("engine"))
    until(place.ready, "the engine at work again")
    truth = simulator.truth()
    assert ingest.stop() == 0
    assert engine.stop() == 0
    cut_after(server.url, cursor_of(place.config.database))
    check(Recording(server.url, place.config.database, place.config.rules), truth, tmp_path)


def live_for(moments):
    """Let the engine live until a random moment: of its start, of catching up, of its work."""
    time.sleep(moments.uniform(0, LONGEST_LIFE_S))


def check(recording, truth, tmp_path):
    """Compare with a replay without any kill, and with the truth: nobody missed anything."""
    again = replay(recording, tmp_path / "again.db")
    assert differences(tables_of(recording.database), tables_of(again)) == []
    rows, windows = rows_of(recording.database), watched(recording.records)
    assert Comparison(rows, truth, windows).problems == []
    assert len(windows) == 1
    later = begun_since(rows, recording.records)
    assert len(later) > 20
    assert [row for row in later if not row.exact] == []
