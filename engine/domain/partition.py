"""The part of a partition that is a fact: where it stands in its journal, its time, and what it lets in."""

from collections.abc import Iterable
from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from engine.domain import gateway
from engine.domain.event_inputs import EventInput
from engine.domain.gateway import Connections
from engine.domain.inputs import (
    Entry,
    GuildInput,
    GuildsKnown,
    GuildSnapshot,
    Heartbeat,
    MemberForgotten,
    VoiceStateChanged,
)
from engine.domain.rules import MEMORY_MS

START = "0-0"  # the id before a stream's first entry

RecordT = TypeVar("RecordT")


class PartitionState(Struct, frozen=True):
    """Committed together with the effects of the entries up to ``cursor``.

    ``now`` is the partition's time: the highest ``at`` taken so far; it never runs back. ``sources`` maps a
    writer's life to ``(last seq taken, at of that entry)``.
    """

    cursor: str = START
    now: int = 0
    sources: dict[str, tuple[int, int]] = {}
    connections: Connections = {}


# A request or fact of an event, the partition's time as of it, and the record it came from. A snapshot tells
# of Discord's scheduled events.
Asked: TypeAlias = tuple[EventInput | GuildSnapshot, int, RecordT]


class Admission(Struct, Generic[RecordT]):
    """What a batch of entries comes to: the partition's next state, and each guild's share in order.

    A share's item is the input, the connections as of that input, and the record it came from. ``asked``:
    what concerns events, in order. ``beat``: the connections were told of.
    """

    state: PartitionState
    shares: dict[int, list[tuple[GuildInput, Connections, RecordT]]]
    asked: list[Asked[RecordT]]
    sources_changed: set[str]
    beat: bool = False
    duplicates: int = 0
    late: int = 0


def admit(
    state: PartitionState,
    cursor: str,
    entries: Iterable[tuple[Entry, RecordT]],
    present: Iterable[int] = (),
) -> Admission[RecordT]:
    """Let in a batch that ends at ``cursor``: drop what came twice, let time pass, sort by guild.

    ``present``: the guilds that the bot is in, as of ``state``. Only a ``GuildsKnown`` asks for them, and
    must therefore be a batch of its own.
    """
    now, connections, sources = state.now, state.connections, dict(state.sources)
    admission: Admission[RecordT] = Admission(state, {}, [], set())
    shares = admission.shares
    for entry, record in entries:
        source, what = entry.source, entry.input
        if entry.seq <= sources.get(source, (-1, 0))[0]:
            admission.duplicates += 1
            continue
        sources[source] = (entry.seq, what.at)
        admission.sources_changed.add(source)
        now = max(now, what.at)
        if isinstance(what, Heartbeat):
            connections, admission.beat = gateway.beat(connections, what.shards), True
            continue
        if what.at < now - MEMORY_MS:
            admission.late += 1
            what = replace(what, at=now - MEMORY_MS)
        if not isinstance(what, VoiceStateChanged):  # nearly all are
            if isinstance(what, GuildsKnown):
                shares |= {it.guild_id: [(it, connections, record)] for it in gateway.missing(what, present)}
            elif isinstance(what, EventInput | GuildSnapshot):
                admission.asked.append((what, now, record))
            if isinstance(what, EventInput | GuildsKnown | MemberForgotten):
                continue
        share = shares.get(what.guild_id)
        if share is None:
            shares[what.guild_id] = [(what, connections, record)]
        else:
            share.append((what, connections, record))
    admission.state = PartitionState(cursor, now, sources, connections)
    return admission
