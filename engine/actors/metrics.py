"""The engine's numbers, as counters and gauges by name and as Prometheus' samples."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from engine.actors.aftermath import DriftStats
from engine.actors.durations import duration_sample
from engine.actors.inside import Inside
from engine.actors.uncertainty import uncertainty_samples
from engine.domain.events import EventStatus
from engine.inspection import Described, Sample

_HELP = {
    "entries": "Journal entries taken",
    "batches": "Batches taken",
    "commits": "Ledger transactions",
    "effects": "Effects committed",
    "duplicates": "Entries dropped because they had been taken before",
    "late": "Entries so late that they took effect at the edge of memory",
    "corrupt": "Entries that could not be read",
    "dead_letters": "Entries set aside in the dead letters",
    "commit_retries": "Commits tried again because the ledger was locked or full",
    "mirror_rebuilds": "Rebuilds of the live state from the ledger",
    "journal_trimmed": "Entries trimmed from the journal",
    "journal_missing": "Entries of the journal that were lost, as the numbers of those that came say",
    "journal_rewinds": "Times the journal was older than the cursor",
    "actors_parked": "Idle guild and event actors parked",
    "attendance_checks": "Ends of events at which the running result was compared with the ledger's rows",
    "attendance_check_failures": "Such comparisons that could not be made",
    "commit_seconds": "Time spent committing",
    "guild_actors": "Guild actors in memory",
    "event_actors": "Event actors in memory",
    "scheduled_events": "Events that have not started",
    "active_events": "Events that are active",
    "unsettled_events": "Events that are over and whose last moments are not confirmed yet",
    "attendance_drift_seconds": "By how much running results and the ledger's rows ever differed: a defect",
    "open_sessions": "Open voice sessions in the ledger",
    "behind_seconds": "How far the slowest partition's time lies behind the clock",
    "connected_shards": "Gateway connections that are up",
    "actor_restarts": "Restarts of guild and event actors",
}
_DELIVERY_COUNTERS = {
    "badges_delivered": "Badges delivered into a file or to a webhook",
    "badges_failed": "Badges refused for good by their receiver",
    "badge_retries": "Deliveries of badges that were tried again",
    "notices_delivered": "Notices of expired players told",
    "notices_failed": "Notices refused for good by their receiver",
    "notice_retries": "Deliveries of notices that were tried again",
}
_INGEST_COUNTERS = {
    "received": "Dispatches received from the gateway",
    "appended": "Inputs made of them",
    "reconnects": "Gateway connections lost",
    "resumes": "Gateway connections resumed",
    "identifies": "Gateway connections begun anew",
    "posted": "Outbox effects done",
    "post_failures": "Outbox effects refused",
    "journal_appended": "Entries taken for the journal",
    "journal_refused": "Inputs refused because memory and spool were full",
    "journal_resent": "Entries sent again after a lost reply",
}
_INGEST_GAUGES = {
    "journal_buffered": "Entries waiting in memory",
    "journal_spooled": "Entries waiting in the spool file",
    "journal_spool_bytes": "Size of the spool file",
}


def counters(inside: Sequence[Inside], drift: DriftStats) -> dict[str, float]:
    """Return what only grows, summed over the partitions."""
    return {
        "entries": sum(it.stats.entries for it in inside),
        "batches": sum(it.stats.batches for it in inside),
        "commits": sum(it.committer.commits for it in inside),
        "effects": sum(it.committer.effects for it in inside),
        "duplicates": sum(it.stats.duplicates for it in inside),
        "late": sum(it.stats.late for it in inside),
        "corrupt": sum(it.stats.corrupt for it in inside),
        "dead_letters": sum(it.stats.dead_letters for it in inside),
        "commit_retries": sum(it.committer.retries for it in inside),
        "mirror_rebuilds": sum(it.committer.mirror_rebuilds for it in inside),
        "journal_trimmed": sum(it.committer.trimmed for it in inside),
        "journal_missing": sum(it.stats.missing for it in inside),
        "journal_rewinds": sum(it.stats.rewinds for it in inside),
        "attendance_checks": drift.checks,
        "attendance_check_failures": drift.failures,
        "actors_parked": sum(it.stats.parked for it in inside),
        "commit_seconds": sum(it.committer.commit_ms for it in inside) / 1000,
    }


def gauges(inside: Sequence[Inside], drift: DriftStats, open_sessions: int, now: int) -> dict[str, float]:
    """Return what goes up and down; ``now``: the clock, in ms UTC."""
    events = Counter(event.status for it in inside for event in it.events.open())
    shards = {it.shard_id: it for part in inside for it in part.stats.state.connections.values()}
    return {
        "guild_actors": sum(len(it.guilds) for it in inside),
        "event_actors": sum(len(it.events.children) for it in inside),
        "scheduled_events": events[EventStatus.SCHEDULED],
        "active_events": events[EventStatus.ACTIVE],
        "unsettled_events": events[EventStatus.ENDED] + events[EventStatus.CANCELLED],
        "attendance_drift_seconds": drift.drift_ms / 1000,
        "open_sessions": open_sessions,
        "behind_seconds": max((now - it.stats.state.now for it in inside), default=0) / 1000,
        "connected_shards": sum(shard.connected for shard in shards.values()),
    }


def samples(  # noqa: PLR0913, PLR0917 - what the metrics are made of
    inside: Sequence[Inside],
    drift: DriftStats,
    open_sessions: int,
    restarts: int,
    ingest: Described,
    now: int,
) -> Iterable[Sample]:
    """Yield every number as Prometheus' sample; the ingest's own under ``rollcall_ingest_``."""
    for name, value in {**counters(inside, drift), "actor_restarts": restarts}.items():
        yield Sample(f"rollcall_{name}_total", "counter", _HELP[name], value)
    for name, value in gauges(inside, drift, open_sessions, now).items():
        yield Sample(f"rollcall_{name}", "gauge", _HELP[name], value)
    yield from _ingest_samples(ingest)


def delivery_samples(deliveries: dict[str, float]) -> Iterable[Sample]:
    """Yield how the badges and notices fare that the engine delivers itself."""
    for name, value in deliveries.items():
        if name in _DELIVERY_COUNTERS:
            yield Sample(f"rollcall_{name}_total", "counter", _DELIVERY_COUNTERS[name], value)
        else:
            yield Sample(f"rollcall_{name}", "gauge", "What waits to be delivered", value)


def commit_samples(inside: Sequence[Inside]) -> Iterable[Sample]:
    """Yield how far the partitions are, how long their commits take, and how certain these are."""
    durations = [it.committer.durations for it in inside]
    yield duration_sample(
        "rollcall_commit_duration_seconds", "How long a commit takes, waits included", durations
    )
    yield from uncertainty_samples(it.committer.uncertainty for it in inside)
    try:
        lag = sum(it.journal.lag(it.stats.state.cursor) for it in inside)
    except ConnectionError:
        return  # it is away, as /readyz says
    yield Sample("rollcall_journal_lag_entries", "gauge", "Journal entries that are not taken yet", lag)


def process_samples(processes: Iterable[Described]) -> Iterable[Sample]:
    """Yield how often the parent has started each of its processes again."""
    for it in processes:
        labels = {"process": it["name"]}
        yield Sample(
            "rollcall_process_restarts_total", "counter", "Restarts by the parent", it["restarts"], labels
        )


def writer_samples(report: Mapping[str, int]) -> Iterable[Sample]:
    """Yield how the engine's own writer of the journal fares."""
    return _told("rollcall_engine_", report)


def _ingest_samples(ingest: Described) -> Iterable[Sample]:
    """Yield what the ingest last told of itself; its counters begin anew with each of its lives."""
    yield from _told("rollcall_ingest_", ingest)
    if "malformed" in ingest:
        malformed = sum(ingest["malformed"].values())
        yield Sample("rollcall_ingest_malformed_total", "counter", "Malformed payloads dropped", malformed)


def _told(prefix: str, told: Mapping[str, Any]) -> Iterable[Sample]:
    for name, text in _INGEST_COUNTERS.items():
        if name in told:
            yield Sample(f"{prefix}{name}_total", "counter", text, told[name])
    for name, text in _INGEST_GAUGES.items():
        if name in told:
            yield Sample(f"{prefix}{name}", "gauge", text, told[name])
