"""Whether what the engine knows is current: what ``/readyz`` answers by."""

from collections.abc import Iterator, Sequence

from engine.actors.inside import Inside
from engine.inspection import Readiness

CAUGHT_UP_MS = 5_000  # heartbeats come each second: a partition's time further back than this is behind


def readiness(inside: Sequence[Inside], faults: list[str], now: int) -> Readiness:
    """Return what is in the way. ``faults``: see ``Inspection``; ``now``: the clock, in ms UTC."""
    committing = [*faults, *(line for it in inside for line in _uncommitted(it))]
    caught_up = [line for it in inside for line in _behind(it, now)]
    connected = [line for it in inside for line in _unconnected(it)]
    return Readiness(not connected, not caught_up, not committing, [*committing, *caught_up, *connected])


def _uncommitted(inside: Inside) -> Iterator[str]:
    if inside.committer.busy_since is not None:
        yield f"partition {inside.number}: the ledger is busy ({inside.committer.busy_reason})"


def _behind(inside: Inside, now: int) -> Iterator[str]:
    if inside.stats.journal_away_since is not None:
        yield f"partition {inside.number}: the journal is away"
    behind_ms = now - inside.stats.state.now
    if behind_ms > CAUGHT_UP_MS:
        told = f"{behind_ms / 1000:.0f} s behind" if inside.stats.state.now else "without a first entry"
        yield f"partition {inside.number}: {told}"


def _unconnected(inside: Inside) -> Iterator[str]:
    shards = {it.shard_id: it for it in inside.stats.state.connections.values()}
    lost = [str(shard_id) for shard_id, it in sorted(shards.items()) if not it.connected]
    if lost or not shards:
        yield f"gateway not connected{': shard ' + ', '.join(lost) if lost else ''}"
