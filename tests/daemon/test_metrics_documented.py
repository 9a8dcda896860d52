"""docs/metrics.md against a running daemon."""

import re
from pathlib import Path

import httpx

from tests.daemon.running import until

LIST = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"\| `(rollcall_\w+)` \| (counter|gauge|histogram) \| (.+) \|")


def test_the_documented_metrics_are_those_that_are_served_as_they_are_served(make_daemon):
    daemon = make_daemon(simulator={"speed": 0.1}).run()
    start_event(daemon)
    until(lambda: "rollcall_transitions_total{" in served(daemon), "a transition")
    text = served(daemon)
    told = dict(re.findall(r"# HELP (rollcall_\S+) (.*)", text))
    kinds = dict(re.findall(r"# TYPE (rollcall_\S+) (.*)", text))
    documented = ROW.findall(LIST.read_text())
    assert len(documented) > 60
    assert documented == sorted((name, kinds[name], told[name]) for name in kinds)
    for process in ("redis", "ingest", "engine"):
        assert f'rollcall_process_restarts_total{{process="{process}"}} 0.0' in text
    alerts = LIST.read_text().partition("| name |")[0]
    names = {it.removesuffix("_count") for it in re.findall(r"rollcall_\w+", alerts)}
    assert names <= set(kinds)


def start_event(daemon):
    """Start an event for which nobody counts: a tracker says so, and the first transition is shown."""
    there = daemon.truth()["presences"][0]
    where = ("--guild", there["guild_id"], "--channel", there["channel_id"], "--role", "1")
    assert daemon.asked("events", "create", *where, "--name", "Night watch", "--start")


def served(daemon):
    transport = httpx.HTTPTransport(uds=str(daemon.config.api_socket))
    with httpx.Client(transport=transport, base_url="http://rollcall") as client:
        return client.get("/metrics").text
