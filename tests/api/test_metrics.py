from pathlib import Path

import pytest
from prometheus_client import parser
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics


def test_the_samples_come_in_prometheus_format(unix):
    families = {it.name: it for it in parser.text_string_to_metric_families(unix.get("/metrics").text)}
    entries = families["rollcall_entries"]
    assert (entries.type, entries.documentation) == ("counter", "Entries taken.")
    assert {(it.labels["partition"], it.value) for it in entries.samples} == {("0", 5), ("1", 7)}
    assert families["rollcall_open_sessions"].samples[0].value == 2
    assert families["rollcall_open_sessions"].type == "gauge"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the process metrics come from /proc")
def test_the_process_own_metrics_come_too(unix):
    families = {it.name: it for it in parser.text_string_to_metric_families(unix.get("/metrics").text)}
    assert families["process_resident_memory_bytes"].samples[0].value > 0


def test_openmetrics_comes_where_it_is_asked_for(unix):
    answer = unix.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert "rollcall_entries" in {it.name for it in parse_openmetrics(answer.text)}


def test_plain_text_is_the_default(unix):
    assert unix.get("/metrics").headers["Content-Type"].startswith("text/plain; version=0.0.4")


def test_the_samples_are_asked_for_anew_each_time(unix, engine):
    unix.get("/metrics")
    engine.samples = lambda: iter(())
    assert "rollcall" not in unix.get("/metrics").text
