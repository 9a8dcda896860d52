"""The part of a partition that is a fact: where it stands in its journal, its time, and what it lets in."""

from collections.abc import Iterable
from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from engine.domain import forgetting, gateway
from engine.domain.effects import ForgetMember
from engine.domain.event_effects import Answer
from engine.domain.event_inputs import EventInput
from engine.domain.gateway import Connections, Hole
from engine.domain.inputs import (
    Entry,
    GuildInput,
    GuildsKnown,
    GuildSnapshot,
    Heartbeat,
    Input,
    MemberForgotten,
    ToGuild,
    VoiceStateChanged,
)
from engine.domain.retrial_inputs import RetrialInput
from engine.domain.rules import MEMORY_MS, Rules
from engine.domain.tracker_inputs import (
    EventMarked,
    ExpiryDecided,
    ScopeCommitted,
    SubjectMark,
    SubjectOverridden,
    TrackersKnown,
)
from engine.domain.tracking import SubjectKind

START = "0-0"  # the id before a stream's first entry

_NOTHING = -1  # taken of a source yet; its first number is 1

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


# A word on one event: a request, a fact of Discord's, or of what trackers and listeners say of it.
ToEvent: TypeAlias = EventInput | EventMarked | SubjectOverridden | ExpiryDecided
# With the partition's time as of it, and the record it came from. A snapshot tells of Discord's scheduled
# events; which trackers run is for all events that are active.
Asked: TypeAlias = tuple[ToEvent | GuildSnapshot | TrackersKnown, int, RecordT]
# An input, the connections and the partition's time as of it, and the record it came from.
Item: TypeAlias = tuple[ToGuild, Connections, RecordT, int]


class Admission(Struct, Generic[RecordT]):
    """What a batch of entries comes to: the partition's next state, and each guild's share in order.

    ``asked``: what concerns events, in order. ``forgets``: what becomes of a request to forget someone.
    ``retrials``: requests to take again what was refused; each must be a batch of its own.
    ``beat``: the connections were told of. ``missing``: entries that the numbers of those that came say there
    were, and that were lost or could not be read; their writer's connections are in doubt since. ``holes``:
    where none is known, the life of the writer and the moment of what was taken before.
    """

    state: PartitionState
    shares: dict[int, list[Item[RecordT]]]
    asked: list[Asked[RecordT]]
    sources_changed: set[str]
    forgets: list[ForgetMember | Answer] = []
    retrials: list[RetrialInput] = []
    beat: bool = False
    duplicates: int = 0
    missing: int = 0
    holes: list[Hole] = []
    late: int = 0


def admit(
    state: PartitionState,
    cursor: str,
    entries: Iterable[tuple[Entry, RecordT]],
    present: Iterable[int] = (),
    rules: Rules = Rules(),  # noqa: B008 - frozen
) -> Admission[RecordT]:
    """Let in a batch that ends at ``cursor``: drop what came twice, let time pass, sort by guild.

    ``present``: the guilds that the bot is in, as of ``state``, for a ``GuildsKnown``; those that trackers
    say something of, for a ``TrackersKnown``. Either must therefore be a batch of its own; so must a
    ``MemberForgotten``, which is about all that was before.
    """
    now, connections, sources = state.now, state.connections, dict(state.sources)
    forgotten = state.forgotten
    admission: Admission[RecordT] = Admission(state, {}, [], set())
    shares = admission.shares
    for entry, record in entries:
        known = _taken(admission, sources, connections, entry, now)
        if known is None:
            continue
        connections, what = known, entry.input
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
            shares[of_guild.guild_id] = [(of_guild, connections, record, now)]
        else:
            share.append((of_guild, connections, record, now))
    forgotten = forgetting.kept(forgotten, now - rules.forgotten_ms)
    admission.state = PartitionState(cursor, now, sources, connections, forgotten)
    return admission


def _taken(
    admission: Admission[RecordT],
    sources: dict[str, tuple[int, int]],
    connections: Connections,
    entry: Entry,
    now: int,
) -> Connections | None:
    """Note an entry as its source's last, and return the connections as of it.

    None if it, or a later one, was taken before.
    """
    taken, taken_at = sources.get(entry.source, (_NOTHING, now))
    if entry.seq <= taken:
        admission.duplicates += 1
        return None
    if entry.seq != taken + 1 and (lost := entry.seq - max(taken, 0) - 1):
        admission.missing += lost
        # A ledger that is new knows of no moment before.
        connections = _doubted(admission, connections, entry.source, taken_at or entry.input.at)
    sources[entry.source] = (entry.seq, entry.input.at)
    admission.sources_changed.add(entry.source)
    return connections


def _doubted(admission: Admission[RecordT], connections: Connections, source: str, since: int) -> Connections:
    names = [it for it in connections if it.startswith(f"{source}/")]
    if not names:  # what told of them is missing, too
        admission.holes.append((source, since))
        return connections
    return gateway.doubt(connections, names, since)


def _of_guild(
    admission: Admission[RecordT],
    asked: tuple[Input, int, RecordT],
    connections: Connections,
    present: Iterable[int],
) -> GuildInput | None:
    """Sort what is not for one guild alone; return what is for its guild, None where nothing is."""
    what, now, record = asked
    if isinstance(what, TrackersKnown | GuildSnapshot | EventInput):
        admission.asked.append((what, now, record))
    elif isinstance(what, SubjectOverridden | ExpiryDecided) and what.kind == SubjectKind.EVENT:
        admission.asked.append((what, now, record))
        return None
    match what:
        case GuildsKnown():
            for lost in gateway.missing(what, present):
                admission.shares[lost.guild_id] = [(lost, connections, record, now)]
        case TrackersKnown():
            for guild_id in present:
                admission.shares[guild_id] = [(what, connections, record, now)]
        case ScopeCommitted():
            _spread(admission, what, (connections, record, now))
        case _ if isinstance(what, RetrialInput):
            admission.retrials = [what]
        case _ if isinstance(what, GuildInput):
            return what
    return None


def _spread(
    admission: Admission[RecordT], what: ScopeCommitted, rest: tuple[Connections, RecordT, int]
) -> None:
    """Give each guild and event the marks on it, of which the last one counts."""
    _, record, now = rest
    players: dict[int, SubjectMark] = {}
    events: dict[int, SubjectMark] = {}
    for mark in what.marks:
        if mark.kind == SubjectKind.EVENT:
            events[mark.subject_id] = mark
        else:
            players[mark.guild_id] = mark
    for guild_id, mark in players.items():
        item = (ScopeCommitted(what.at, what.tracker, (mark,), what.silent), *rest)
        admission.shares.setdefault(guild_id, []).append(item)
    for event_id, mark in events.items():
        on_event = EventMarked(
            what.at, mark.guild_id, event_id, what.tracker, mark.inactive, mark.timeout_ms, what.silent
        )
        admission.asked.append((on_event, now, record))


def _forget(
    admission: Admission[RecordT], what: MemberForgotten, forgotten: dict[int, int], now: int, rules: Rules
) -> dict[int, int]:
    """Remember whom to forget, unless we do: a request that is read again is not about what came after it."""
    if what.at <= forgotten.get(what.user_id, -1):
        admission.forgets = [Answer(what.request_id)]
        return forgotten
    admission.forgets = [ForgetMember(what.user_id, now, rules.min_session_ms, what.request_id)]
    return forgotten | {what.user_id: now}
