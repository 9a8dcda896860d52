"""What is told of the gateway's connections: so since when a guild was not watched, and which are lost."""

from collections.abc import Iterable

from msgspec import Struct

from engine.domain.ids import shard_of
from engine.domain.inputs import GuildLost, GuildsKnown, ShardBeat

# Connections remembered per shard. A guild last seen on one forgotten since counts from that last sight.
CONNECTIONS_PER_SHARD = 32


class Connection(Struct, frozen=True, gc=False):
    """One gateway session, from its IDENTIFY on. ``alive_at``: nothing was missed on it up to then."""

    shard_id: int
    alive_at: int
    connected: bool


# By the connection's name, in order of first sight.
Connections = dict[str, Connection]


def beat(connections: Connections, beats: tuple[ShardBeat, ...]) -> Connections:
    """Take one heartbeat's word on each shard's connection."""
    changed = dict(connections)
    for it in beats:
        changed[it.connection] = Connection(it.shard_id, it.alive_at, it.connected)
        _forget(changed, it.shard_id)
    return changed


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
