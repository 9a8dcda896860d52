"""What is told of the gateway's connections: so since when a guild was not watched, and which are lost."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from engine.domain.ids import shard_of
from engine.domain.inputs import GuildLost, GuildsKnown, ShardBeat

# Connections remembered per shard. A guild last seen on one forgotten since counts from that last sight.
CONNECTIONS_PER_SHARD = 32


class Connection(Struct, frozen=True, gc=False):
    """One gateway session, from its IDENTIFY on. ``alive_at``: nothing was missed on it up to then.

    ``doubted_at``: what came on it later may be missing in the journal, so it is not alive after that.
    """

    shard_id: int
    alive_at: int
    connected: bool
    doubted_at: int | None = None


# By the connection's name, in order of first sight.
Connections = dict[str, Connection]

# Where entries are missing: the connection in doubt, or a writer's life for all of its; since when (ms UTC).
Hole = tuple[str, int]


def beat(connections: Connections, beats: tuple[ShardBeat, ...]) -> Connections:
    """Take one heartbeat's word on each shard's connection."""
    changed = dict(connections)
    for it in beats:
        changed[it.connection] = _told(it, changed.get(it.connection))
        _forget(changed, it.shard_id)
    return changed


def _told(beat: ShardBeat, known: Connection | None) -> Connection:
    doubted_at = None if known is None else known.doubted_at
    alive_at = beat.alive_at if doubted_at is None else min(beat.alive_at, doubted_at)
    return Connection(beat.shard_id, alive_at, beat.connected, doubted_at)


def doubt(connections: Connections, names: Iterable[str], since: int) -> Connections:
    """Take nothing for certain of what came on these connections after ``since``."""
    doubted = {name: min(connections[name].alive_at, since) for name in names}
    changed = {name: replace(connections[name], alive_at=at, doubted_at=at) for name, at in doubted.items()}
    return connections | changed


def _forget(connections: Connections, shard_id: int) -> None:
    names = [name for name, connection in connections.items() if connection.shard_id == shard_id]
    for name in names[:-CONNECTIONS_PER_SHARD]:
        del connections[name]


def lost_at(connections: Connections, known: str | None, current: str) -> int | None:
    """Return when the ``known`` connection was lost; None if it is the current one or forgotten."""
    if known is None or known == current or known not in connections:
        return None
    return connections[known].alive_at


def missing(known: GuildsKnown, present: Iterable[int]) -> list[GuildLost]:
    """Return the loss of each guild that we take for ``present`` and its shard knows no more."""
    there = frozenset(known.guild_ids)
    return [
        GuildLost(known.at, guild_id, connection=known.connection)
        for guild_id in present
        if guild_id not in there and shard_of(guild_id, known.shard_count) == known.shard_id
    ]
