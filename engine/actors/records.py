"""What a partition reads: in which portions it is taken, and where in the journal it stands."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, get_args

import structlog

from engine.actors.children import Outcome, Refused
from engine.domain.event_inputs import EventInput
from engine.domain.forgetting import blotted
from engine.domain.inputs import (
    ChannelDeleted,
    GuildChanged,
    GuildLost,
    GuildsKnown,
    GuildSnapshot,
    GuildUnavailable,
    Heartbeat,
    Input,
    MemberForgotten,
)
from engine.domain.partition import PartitionState
from engine.domain.retrial_inputs import RetrialInput
from engine.domain.tracker_inputs import ExpiryDecided, ScopeCommitted, SubjectOverridden, TrackersKnown
from engine.domain.tracking import SubjectKind
from engine.storage.protocols import DeadLetter, Quarantine, Record

log = structlog.get_logger(__name__)


class Refusal(NamedTuple):
    """What an actor of a guild refused."""

    guild_id: int | None
    actor: str
    what: Refused


# What they do depends on all that was before, and on nothing that comes after: requests and facts of events
# find in the ledger who was there by then.
_ALONE = frozenset(
    {GuildsKnown, MemberForgotten, TrackersKnown, *get_args(EventInput), *get_args(RetrialInput)}
)
# What changes a guild's AFK channel, or ends events with their channel or with all.
_OF_GUILD = GuildSnapshot | GuildChanged | ChannelDeleted | GuildLost
_OF_SUBJECTS = ScopeCommitted | SubjectOverridden | ExpiryDecided
# What changes how a guild is watched: an event is settled by what a heartbeat told before.
_OF_WATCHING = _OF_GUILD | GuildUnavailable
_MAY_CUT = _ALONE | {Heartbeat, *get_args(_OF_WATCHING), *get_args(_OF_SUBJECTS)}


def batches(records: list[Record]) -> Iterator[list[Record]]:
    """Cut what was read into batches that each come to what their entries would come to one by one.

    A snapshot tells what became of events, and trackers speak of those that go on: what changed their guild
    before is in another batch.
    """
    start, changed, beaten = 0, set[int](), False
    for index, record in enumerate(records):
        if record.entry is None or type(what := record.entry.input) not in _MAY_CUT:
            continue
        is_alone = type(what) in _ALONE
        unwatched = beaten and isinstance(what, _OF_WATCHING)
        if start < index and (is_alone or unwatched or not changed.isdisjoint(_looks_at(what))):
            yield records[start:index]
            start, changed, beaten = index, set(), False
        if is_alone:
            yield [record]
            start, changed, beaten = index + 1, set(), False
        elif isinstance(what, _OF_GUILD):
            changed.add(what.guild_id)
        beaten |= isinstance(what, Heartbeat)
    if start < len(records):
        yield records[start:]


def _looks_at(what: Input) -> Iterable[int]:
    """Return the guilds whose events an entry finds as their guild has left them."""
    if isinstance(what, GuildSnapshot):
        return (what.guild_id,)
    if isinstance(what, ScopeCommitted):
        return [mark.guild_id for mark in what.marks if mark.kind == SubjectKind.EVENT]
    if isinstance(what, SubjectOverridden | ExpiryDecided) and what.kind == SubjectKind.EVENT:
        return (what.guild_id,)
    return ()


def refusals(by_guilds: Outcome, by_events: Outcome, guild_of: Callable[[int], int | None]) -> list[Refusal]:
    """Return what a batch's actors refused. ``guild_of``: an event's."""
    of_guilds = [Refusal(it.key, f"guild:{it.key}", it) for it in by_guilds.refused]
    of_events = [Refusal(guild_of(it.key), f"event:{it.key}", it) for it in by_events.refused]
    return of_guilds + of_events


def quarantines(
    by_guilds: Outcome, by_events: Outcome, refused: list[Refusal], first_id: str, now: int
) -> list[Quarantine]:
    """Return the actors that a batch, which begins with ``first_id``, was too much for."""
    withheld = {f"guild:{key}": it for key, it in by_guilds.quarantined.items()}
    withheld |= {f"event:{key}": it for key, it in by_events.quarantined.items()}
    guilds = {it.actor: it.guild_id for it in refused if it.guild_id is not None}
    return [
        Quarantine(actor, guilds[actor], reason, since.journal_id if since else first_id, now)
        for actor, (reason, since) in withheld.items()
    ]


def dead_letters(records: list[Record], refused: list[Refusal], state: PartitionState) -> list[DeadLetter]:
    """Return what is kept of entries that could not be read, or that an actor of a guild refused.

    ``state``: as of before them.
    """
    unread = [
        DeadLetter(it.journal_id, None, blotted(None, it.raw, state.forgotten), it.error, state.now)
        for it in records
        if it.entry is None
    ]
    return unread + [it for no in refused for it in _refused(*no, state)]


def _refused(guild_id: int | None, actor: str, no: Refused, state: PartitionState) -> Iterator[DeadLetter]:
    if no.record is None:  # of no entry of its own: its event is mended by the next score
        log.error("event_lost_facts", event_id=no.key, reason=no.reason)
    elif no.record.raw:  # else a follower of a letter that is retried: it has, or had, its own entry
        raw = blotted(no.record.entry, no.record.raw, state.forgotten)
        yield DeadLetter(no.record.journal_id, guild_id, raw, no.reason, state.now, actor)


def is_taken(record: Record | None, state: PartitionState) -> bool:
    """Say whether an entry is there and was taken before; of one that cannot be read, its place says so."""
    if record is None or record.entry is None:
        return record is not None
    return record.entry.seq <= state.sources.get(record.entry.source, (-1, 0))[0]


def place(journal_id: str) -> tuple[int, ...]:
    """Return what tells which of two ids is later."""
    return tuple(map(int, journal_id.split("-")))
