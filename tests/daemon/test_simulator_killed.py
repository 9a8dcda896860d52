"""``kill -9`` of the demo's Discord: another comes to the same address, and the demo goes on."""

import pytest

from tests.daemon.running import until
from tests.daemon.truth import rows_of

pytestmark = [pytest.mark.crash, pytest.mark.slow]


def test_the_ingest_comes_back_to_the_next_one_by_itself(make_daemon):
    daemon = make_daemon(simulator={"speed": 25.0}).run()
    address, ingest = daemon.config.simulator_address.read_text(), daemon.pid("ingest")
    daemon.back("simulator", daemon.kill_child("simulator"))
    until(lambda: daemon.program.text().count('"gateway_ready"') == 2, "a new connection")
    known_at = daemon.truth()["now"]
    until(lambda: newest(daemon) > known_at, "sessions of the next community")
    assert daemon.config.simulator_address.read_text() == address
    assert daemon.pid("ingest") == ingest
    assert daemon.program.stop() == 0


def newest(daemon):
    """Return when the newest session's member joined, in ms UTC."""
    return max(row.joined_at for row in rows_of(daemon.config.database))
