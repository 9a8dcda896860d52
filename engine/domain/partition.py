"""The part of a partition that is a fact: where it stands in its journal, its time, and what it lets in."""

from collections.abc import Iterable
from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from engine.domain import forgetting, gateway
from engine.domain.effects import ForgetMember
from engine.domain.event_effects import Answer
from engine.domain.event_inputs import EventInput
from engine.domain.gateway import Connections
from engine.domain.inputs import (
    Entry,
    GuildInput,
    GuildsKnown,
    GuildSnapshot,
    Heartbeat,
    Input,
    MemberForgotten,
    VoiceStateChanged,
)
from engine.domain.rules import MEMORY_MS, Rules

START = "0-0"  # the id before a stream's first entry

RecordT = TypeVar("RecordT")


class PartitionState(Struct, frozen=True):
    """Committed together with the effects of the entries up to ``cursor``.

    ``now`` is the partition's time: the highest ``at`` taken so far; it never runs back. ``sources`` maps a
    writer's life to ``(last seq taken, at of that entry)``. ``forgotten``: see ``forgetting``.
    """

    cursor: str = START
    now: int = 0
    sources: dict[str, tuple[int, int]] = {}
    connections: Connections = {}
    forgotten: dict[int, int] = {}


# A request or fact of an event, the partition's time as of it, and the record it came from. A snapshot tells
# of Discord's scheduled events.
Asked: TypeAlias = tuple[EventInput | GuildSnapshot, int, RecordT]


class Admission(Struct, Generic[RecordT]):
    """What a batch of entries comes to: the partition's next state, and each guild's share in order.

    A share's item is the input, the connections as of that input, and the record it came from. ``asked``:
    what concerns events, in order. ``forgets``: what becomes of a request to forget someone. ``beat``: the
    connections were told of.
    """

    state: PartitionState
    shares: dict[int, list[tuple[GuildInput, Connections, RecordT]]]
    asked: list[Asked[RecordT]]
    sources_changed: set[str]
    forgets: list[ForgetMember | Answer] = []
    beat: bool = False
    duplicates: int = 0
    late: int = 0


def admit(
    state: PartitionState,
    cursor: str,
    entries: Iterable[tuple[Entry, RecordT]],
    present: Iterable[int] = (),
    rules: Rules = Rules(),  # noqa: B008 - frozen
) -> Admission[RecordT]:
    """Let in a batch that ends at ``cursor``: drop what came twice, let time pass, sort by guild.

    ``present``: the guilds that the bot is in, as of ``state``. Only a ``GuildsKnown`` asks for them, and
    must therefore be a batch of its own; so must a ``MemberForgotten``, which is about all that was before.
    """
    now, connections, sources = state.now, state.connections, dict(state.sources)
    forgotten = state.forgotten
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
        if isinstance(what, MemberForgotten):
            forgotten = _forget(admission, what, forgotten, now, rules)
            continue
        if forgotten and (what := forgetting.without(what, forgotten)) is None:  # type: ignore[assignment]
            continue
        if what.at < now - MEMORY_MS:
            admission.late += 1
            what = replace(what, at=now - MEMORY_MS)
        if isinstance(what, VoiceStateChanged):  # nearly all are
            of_guild: GuildInput | None = what
        else:
            of_guild = _of_guild(admission, (what, now, record), connections, present)
        if of_guild is None:
            continue
        share = shares.get(of_guild.guild_id)
        if share is None:
            shares[of_guild.guild_id] = [(of_guild, connections, record)]
        else:
            share.append((of_guild, connections, record))
    forgotten = forgetting.kept(forgotten, now - rules.forgotten_ms)
    admission.state = PartitionState(cursor, now, sources, connections, forgotten)
    return admission


def _of_guild(
    admission: Admission[RecordT],
    asked: tuple[Input, int, RecordT],
    connections: Connections,
    present: Iterable[int],
) -> GuildInput | None:
    """Sort what is not for one guild alone; return what is for its guild, None where nothing is."""
    what, now, record = asked
    if isinstance(what, GuildsKnown):
        for lost in gateway.missing(what, present):
            admission.shares[lost.guild_id] = [(lost, connections, record)]
        return None
    if isinstance(what, EventInput | GuildSnapshot):
        admission.asked.append((what, now, record))
    return what if isinstance(what, GuildInput) else None


def _forget(
    admission: Admission[RecordT], what: MemberForgotten, forgotten: dict[int, int], now: int, rules: Rules
) -> dict[int, int]:
    """Remember whom to forget, unless we do: a request that is read again is not about what came after it."""
    if what.at <= forgotten.get(what.user_id, -1):
        admission.forgets = [Answer(what.request_id)]
        return forgotten
    admission.forgets = [ForgetMember(what.user_id, now, rules.min_session_ms, what.request_id)]
    return forgotten | {what.user_id: now}
