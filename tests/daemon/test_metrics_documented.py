"""docs/metrics.md against a running daemon."""

import re
from pathlib import Path

import httpx

LIST = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(r"\| `(rollcall_\w+)` \| (counter|gauge|histogram) \| (.+) \|")


def test_every_documented_metric_is_served_as_it_is_documented(make_daemon):
    daemon = make_daemon(simulator={"speed": 0.1}).run()
    transport = httpx.HTTPTransport(uds=str(daemon.config.api_socket))
    with httpx.Client(transport=transport, base_url="http://rollcall") as client:
        text = client.get("/metrics").text
    told = dict(re.findall(r"# HELP (\S+) (.*)", text))
    kinds = dict(re.findall(r"# TYPE (\S+) (.*)", text))
    documented = ROW.findall(LIST.read_text())
    assert len(documented) > 60
    assert documented == [(name, kinds.get(name), told.get(name)) for name, _, _ in documented]
    for process in ("redis", "ingest", "engine"):
        assert f'rollcall_process_restarts_total{{process="{process}"}} 0.0' in text
    alerts = LIST.read_text().partition("| name |")[0]
    names = {it.removesuffix("_count") for it in re.findall(r"rollcall_\w+", alerts)}
    assert names <= {name for name, _, _ in documented}
