"""The metrics: every name once, counters by Prometheus' convention, the ingest's own among them."""

from engine.actors.metrics import samples

INGEST = {
    "at": 1,
    "clock_ahead_ms": -2,
    "received": 7,
    "malformed": {"VOICE_STATE_UPDATE": 2, "GUILD_CREATE": 1},
    "journal_spooled": 3,
    "shards": [],
}


def found(bench, ingest):
    return list(samples([bench.inside], bench.aftermath.drift, 4, 5, ingest, 1_000))


def test_a_counters_name_says_so_and_no_name_comes_twice(bench):
    metrics = found(bench, INGEST)
    assert {it.kind == "counter" for it in metrics if it.name.endswith("_total")} == {True}
    assert not [it.name for it in metrics if it.kind == "counter" and not it.name.endswith("_total")]
    assert len({it.name for it in metrics}) == len(metrics)


def test_the_ingests_numbers_are_there_and_its_moments_are_not(bench):
    values = {it.name: it.value for it in found(bench, INGEST) if "ingest" in it.name}
    assert values == {
        "rollcall_ingest_received_total": 7,
        "rollcall_ingest_malformed_total": 3,
        "rollcall_ingest_journal_spooled": 3,
    }


def test_without_a_word_from_the_ingest_the_engines_own_numbers_stand(bench):
    values = {it.name: it.value for it in found(bench, {})}
    assert values["rollcall_open_sessions"] == 4
    assert values["rollcall_actor_restarts_total"] == 5
    assert not [name for name in values if "ingest" in name]
