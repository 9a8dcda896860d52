"""The metrics: every name once, counters by Prometheus' convention, the ingest's own among them."""

from engine.actors.durations import BOUNDS_S, Durations, duration_sample
from engine.actors.metrics import commit_samples, process_samples, samples
from engine.domain.inputs import GuildSnapshot, Heartbeat, ShardBeat, VoiceState, VoiceStateChanged

GUILD = 1 << 22

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


def test_commits_are_counted_by_how_long_they_took(bench):
    bench.write(VoiceStateChanged(1_000, GUILD, 5, 7))
    bench.settle()
    found = next(it for it in commit_samples([bench.inside]) if it.kind == "histogram")
    assert found.name == "rollcall_commit_duration_seconds"
    counts = [count for _, count in found.buckets]
    assert counts == sorted(counts)
    assert counts[-1] == bench.inside.committer.commits
    assert found.value > 0


def test_durations_fall_into_the_first_bucket_that_holds_them():
    durations = Durations()
    for seconds in (0.0, BOUNDS_S[0], BOUNDS_S[0] + 1e-9, 11.0):
        durations.count(seconds)
    buckets = dict(duration_sample("x", "", [durations, durations]).buckets)
    assert buckets[str(BOUNDS_S[0])] == 4
    assert buckets[str(BOUNDS_S[1])] == 6
    assert (buckets[str(BOUNDS_S[-1])], buckets["+Inf"]) == (6, 8)


def test_what_a_gap_leaves_uncertain_is_counted_with_its_seconds(bench):
    stays, goes = VoiceState(5, 7, 0, "a"), VoiceState(6, 7, 0, "b")
    bench.write(
        GuildSnapshot(1_000, GUILD, "c1", (stays, goes), ()),
        Heartbeat(10_000, (ShardBeat(0, "c1", connected=True, alive_at=10_000),)),
        GuildSnapshot(30_000, GUILD, "c2", (stays,), ()),  # on another connection
    )
    bench.settle()
    values = {it.name: it.value for it in commit_samples([bench.inside])}
    assert values["rollcall_uncertain_sessions_total"] == 1
    assert values["rollcall_bridged_gaps_total"] == 1
    assert values["rollcall_bridged_seconds_total"] == 20
    assert values["rollcall_slack_seconds_total"] >= 20


def test_how_far_the_journal_is_ahead_is_told_unless_it_is_away(bench):
    names = [it.name for it in commit_samples([bench.inside])]
    assert "rollcall_journal_lag_entries" in names
    bench.journal.away = True
    assert "rollcall_journal_lag_entries" not in [it.name for it in commit_samples([bench.inside])]


def test_restarts_are_told_by_process():
    processes = [{"name": "engine", "restarts": 3}, {"name": "ingest", "restarts": 0}]
    assert [(it.labels, it.value) for it in process_samples(processes)] == [
        ({"process": "engine"}, 3),
        ({"process": "ingest"}, 0),
    ]
