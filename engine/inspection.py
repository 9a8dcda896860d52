"""What a running engine tells of itself: the one contract between its actors and those who look at them.

The HTTP API, the debug command and the metrics read this and nothing else of the runtime. Every answer is a
copy made of plain values that ``json.dumps`` takes: ids are strings, moments ISO 8601 UTC with ms and ``Z``
(or None), durations end in their unit (``ageMs``), keys are camelCase.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

# One JSON object.
Described: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the engine does its work now.

    ``connected``: every shard's gateway connection is up. ``caught_up``: the journal is at hand, and what it
    holds is taken. ``committing``: the ledger takes it. ``reasons``: one line for each thing in the way.
    """

    connected: bool = True
    caught_up: bool = True
    committing: bool = True
    reasons: list[str] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        """Return whether all of it holds."""
        return self.connected and self.caught_up and self.committing


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one metric, in Prometheus' terms.

    All samples of a ``name`` have the same kind, help and label names. A counter's name ends in ``_total``;
    units are base units and stand in the name (``_seconds``, ``_bytes``). Of a histogram ``value`` is the sum
    and ``buckets`` are ``(upper bound, how many up to it)``, the last bound ``+Inf``.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    buckets: tuple[tuple[str, float], ...] = ()


class Inspection(Protocol):
    """A look inside. Any thread may call; no call waits longer than a second for an actor.

    Where an actor does not answer in that time, its last known values stand in, and its ``state`` says so.
    What reads the ledger raises ``StorageError`` where it cannot be read.
    """

    def faults(self) -> list[str]:
        """Return why only a fresh process would help, a line each; none where the engine is alive.

        A thread that it cannot do without has ended, or has work and gets nowhere. Waiting for Redis or for
        a ledger that is busy is no fault. Never waits.
        """
        ...

    def readiness(self) -> Readiness:
        """Return whether the gateway is connected, the journal caught up and commits succeed. Never waits."""
        ...

    def overview(self) -> Described:
        """Return the engine on one screen: version, start, readiness, counts of actors and sessions."""
        ...

    def actors(self) -> list[Described]:
        """Return all actors by name, restarts and quarantines included.

        Each: ``name`` (``guild:1``, ``partition:0``, ``supervisor``), ``kind`` (the part before
        the colon), ``state``, ``inbox`` (messages waiting), ``restarts``, ``openSessions`` (of a guild,
        else None), ``lastAt``.
        """
        ...

    def actor(self, name: str) -> Described | None:
        """Return one actor's row of ``actors`` and its whole state as ``describe``; None: there is none."""
        ...

    def journal(self) -> list[Described]:
        """Return every partition's journal, as its reader sees it.

        Each: ``partition``, ``cursor``, ``lastId``, ``length``, ``lag`` (entries not yet taken), ``now``
        (the partition's time), ``sources``, ``connections`` (the gateway's), ``ingest`` (its writer's stats).
        """
        ...

    def trackers(self) -> list[Described]:
        """Return how each tracker fares; see ``trackers.runtime`` for the keys."""
        ...

    def timers(self) -> list[Described]:
        """Return every deadline that runs, the next first.

        Each: ``at``, ``inSeconds``, ``what`` (player expires, event starts, event ends, event abandoned),
        ``guildId`` or ``eventId``.
        """
        ...

    def live(self) -> Described:
        """Return the mirror: ``cursor``, ``guilds``, ``sessions``, ``rebuilt`` (how often), ``stale``."""
        ...

    def top(self) -> Described:
        """Return ``at`` and the running ``counters`` and ``gauges`` by name; two of them give rates."""
        ...

    def reconcile(self) -> Described:
        """Have the mirror compared with the ledger, and repaired; return what was found.

        ``at tookMs guilds sessions events differences{kind: count} journalRewinds errors``. Waits for as long
        as that takes, and raises ``NotCommitted`` where it takes too long.
        """
        ...

    def samples(self) -> Iterable[Sample]:
        """Yield the metrics."""
        ...
