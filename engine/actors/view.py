"""The look inside a running engine that the HTTP API, the debug command and the metrics read."""

import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pykka

from engine import __version__
from engine.actors.children import ChildActors
from engine.actors.engine import Engine
from engine.actors.inside import Inside
from engine.actors.metrics import (
    commit_samples,
    counters,
    delivery_samples,
    gauges,
    process_samples,
    samples,
)
from engine.actors.readiness import readiness
from engine.actors.reconciling import reconcile_samples
from engine.actors.timers import timers
from engine.actors.transitions import player_samples, tracker_samples
from engine.domain.ids import partition_of
from engine.domain.views import iso
from engine.inspection import Described, Readiness, Sample

COUNT_AGE_S = 2.0


class Lookups(NamedTuple):
    """What the view asks of others: the ledger's counts, the ingest's last status, the mirror, deliveries."""

    counts: Callable[[], dict[str, int]]
    open_by_guild: Callable[[], dict[int, int]]
    ingest: Callable[[], Described | None]
    live: Callable[[], Described]
    deliveries: Callable[[], dict[str, float]] = dict
    trackers: Callable[[], list[Described]] = list
    storage: Callable[[], Described] = dict  # what there is to say of the ledger's keeping
    samples: Callable[[], Iterable[Sample]] = tuple
    processes: Callable[[], list[Described]] = list  # as the parent describes them; none without a parent


class EngineView:
    """Fulfils ``inspection.Inspection``."""

    def __init__(
        self,
        engine: Engine,
        lookups: Lookups,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._now = now
        self._engine, self._lookups = engine, lookups
        self._started_at = self._now()
        self._counted = (float("-inf"), 0)

    def faults(self) -> list[str]:
        """Return why only a fresh process would help."""
        return self._engine.faults()

    def readiness(self) -> Readiness:
        """Return what is in the way of tracking, if anything."""
        return readiness(self._engine.inside, self._engine.faults(), self._now())

    def overview(self) -> Described:
        """Return the engine on one screen."""
        readiness = self.readiness()
        return {
            "version": __version__,
            "startedAt": iso(self._started_at),
            "ready": readiness.ready,
            "reasons": readiness.reasons,
            "partitions": len(self._engine.inside),
            "guildActors": sum(len(inside.guilds) for inside in self._engine.inside),
            "eventActors": sum(len(inside.events.children) for inside in self._engine.inside),
            "quarantined": sorted(self._engine.roster().quarantined),
            "reconciled": self._engine.reconciled(),
            **self._lookups.counts(),
            **self._lookups.storage(),
        }

    def open_sessions(self) -> int:
        """Return how many sessions are open, a count at most ``COUNT_AGE_S`` old."""
        counted_at, counted = self._counted
        if time.monotonic() - counted_at > COUNT_AGE_S:
            counted = sum(self._lookups.open_by_guild().values())
            self._counted = (time.monotonic(), counted)
        return counted

    def actors(self) -> list[Described]:
        """Return all actors: the supervisor, partitions, committers, guilds, events."""
        roster, sessions = self._engine.roster(), self._lookups.open_by_guild()
        rows = [_row("supervisor", "supervisor", "running")]
        for inside in self._engine.inside:
            rows += _partition_rows(inside, roster.restarts)
            rows += _child_rows("guild", inside.guilds, roster.restarts, sessions)
            rows += _child_rows("event", inside.events.children, roster.restarts)
        known = {row["name"] for row in rows}
        rows += [
            _row(
                name,
                name.partition(":")[0],
                "quarantined",
                restarts=roster.restarts.get(name, 0),
                reason=reason,
            )
            for name, reason in roster.quarantined.items()
            if name not in known
        ]
        return rows

    def actor(self, name: str) -> Described | None:
        """Return one actor's row, with its whole state under ``describe``."""
        row = next((row for row in self.actors() if row["name"] == name), None)
        if row is None or row["kind"] == "supervisor":
            return row and {**row, "describe": _spelled(self._engine.roster()._asdict())}
        number = name.partition(":")[2]
        if row["kind"] == "guild":
            inside = self._engine.inside[partition_of(int(number), len(self._engine.inside))]
            return {**row, **_described(inside.guilds, int(number))}
        if row["kind"] == "event":
            holders = [it.events.children for it in self._engine.inside if int(number) in it.events.children]
            return {**row, **(_described(holders[0], int(number)) if holders else {"describe": None})}
        return {**row, "describe": self.journal()[int(number)]}

    def journal(self) -> list[Described]:
        """Return every partition's journal, as its reader sees it."""
        ingest = _spelled(self._lookups.ingest())
        return [{**_journal(inside), "ingest": ingest} for inside in self._engine.inside]

    def trackers(self) -> list[Described]:
        """Return how each tracker fares."""
        return self._lookups.trackers()

    def timers(self) -> list[Described]:
        """Return every deadline that runs, the next first."""
        return timers(self._engine.inside, self._now())

    def live(self) -> Described:
        """Return the mirror of the open sessions."""
        rebuilt = sum(inside.committer.mirror_rebuilds for inside in self._engine.inside)
        stale = any(inside.committer.mirror_stale for inside in self._engine.inside)
        return {**self._lookups.live(), "rebuilt": rebuilt, "stale": stale}

    def reconcile(self) -> Described:
        """Have the mirror compared with the ledger, and repaired."""
        return self._engine.reconcile()

    def top(self) -> Described:
        """Return the running numbers; two of them give rates."""
        inside = self._engine.inside
        return {
            "at": iso(self._now()),
            "counters": counters(inside, self._engine.aftermath.drift),
            "gauges": gauges(inside, self._engine.aftermath.drift, self.open_sessions(), self._now()),
        }

    def samples(self) -> Iterable[Sample]:
        """Yield the metrics."""
        restarts = sum(self._engine.roster().restarts.values())
        told = self._lookups.ingest() or {}
        drift = self._engine.aftermath.drift
        yield from samples(self._engine.inside, drift, self.open_sessions(), restarts, told, self._now())
        yield from delivery_samples(self._lookups.deliveries())
        yield from self._engine.aftermath.transitions.samples()
        inside = self._engine.inside
        yield from reconcile_samples((it.reconciler for it in inside), sum(it.stats.rewinds for it in inside))
        yield from player_samples(list(self._engine.published.players.copy().values()))
        yield from tracker_samples(self._lookups.trackers())
        yield from self._lookups.samples()
        yield from commit_samples(self._engine.inside)
        yield from process_samples(self._lookups.processes())


def _described(children: ChildActors, key: int) -> Described:
    try:
        return {"describe": children.describe(key)}
    except (pykka.Timeout, pykka.ActorDeadError):
        return {"state": "not answering", "describe": None}


def _row(name: str, kind: str, state: str, **more: Any) -> Described:
    row = {"inbox": 0, "restarts": 0, "openSessions": None, "lastAt": None}
    return {"name": name, "kind": kind, "state": state, **row, **more}


def _partition_rows(inside: Inside, restarts: dict[str, int]) -> list[Described]:
    name, stats = f"partition:{inside.number}", inside.stats
    state = "running" if stats.journal_away_since is None else "journal away"
    committing = "running" if inside.committer.busy_since is None else "ledger busy"
    at = iso(stats.state.now) if stats.state.now else None
    return [
        _row(name, "partition", state, restarts=restarts.get(name, 0), lastAt=at),
        _row(f"committer:{inside.number}", "committer", committing, lastAt=at),
    ]


def _child_rows(
    kind: str, children: ChildActors, restarts: dict[str, int], sessions: dict[int, int] | None = None
) -> list[Described]:
    return [
        _row(
            name := f"{kind}:{key}",
            kind,
            "running",
            inbox=waiting,
            restarts=restarts.get(name, 0),
            openSessions=None if sessions is None else sessions.get(key, 0),
            lastAt=iso(used_at),
        )
        for key, used_at, waiting in children.rows()
    ]


def _journal(inside: Inside) -> Described:
    state = inside.stats.state
    row: Described = {
        "partition": inside.number,
        "cursor": state.cursor,
        "committedCursor": inside.committer.cursor,
        "now": iso(state.now) if state.now else None,
        "sources": {name: seq for name, (seq, _) in state.sources.items()},
        "connections": {
            name: {"shard": it.shard_id, "connected": it.connected, "aliveAt": iso(it.alive_at)}
            for name, it in state.connections.items()
        },
    }
    try:
        found = {
            "lastId": inside.journal.last_id(),
            "length": inside.journal.length(),
            "lag": inside.journal.lag(state.cursor),
        }
    except ConnectionError:
        found = {"lastId": None, "length": None, "lag": None}
    return row | found


def _spelled(value: Any, key: str = "") -> Any:
    """Spell a report as JSON reads here: keys in camelCase, moments ISO 8601. Events keep their names."""
    if isinstance(value, dict):
        return {_camel_case(name): _spelled(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [_spelled(item) for item in value]
    is_moment = isinstance(value, int) and (key == "at" or key.endswith("_at"))
    return iso(value) if is_moment else value


def _camel_case(name: str) -> str:
    first, *more = name.split("_")
    return first + "".join(word.capitalize() for word in more) if name.islower() else name
