"""What a partition reads: in which portions it is taken, and where in the journal it stands."""

from collections.abc import Iterator
from typing import get_args

from engine.domain.event_inputs import EventInput
from engine.domain.inputs import (
    ChannelDeleted,
    GuildChanged,
    GuildsKnown,
    GuildSnapshot,
    MemberForgotten,
)
from engine.storage.protocols import Record

# What they do depends on all that was before, and on nothing that comes after: requests and facts of events
# find in the ledger who was there by then.
_ALONE = frozenset({GuildsKnown, MemberForgotten, *get_args(EventInput)})
# What changes a guild's AFK channel, or ends Discord's events with their channel.
_OF_GUILD = frozenset({GuildSnapshot, GuildChanged, ChannelDeleted})
_MAY_CUT = _ALONE | _OF_GUILD


def batches(records: list[Record]) -> Iterator[list[Record]]:
    """Cut what was read into batches that each come to what their entries would come to one by one.

    A snapshot tells what became of events, so what changed its guild before is in another batch.
    """
    start, changed = 0, set[int]()
    for index, record in enumerate(records):
        if record.entry is None or type(what := record.entry.input) not in _MAY_CUT:
            continue
        is_alone = type(what) in _ALONE
        if start < index and (is_alone or (isinstance(what, GuildSnapshot) and what.guild_id in changed)):
            yield records[start:index]
            start, changed = index, set()
        if is_alone:
            yield [record]
            start, changed = index + 1, set()
        elif isinstance(what, GuildSnapshot | GuildChanged | ChannelDeleted):
            changed.add(what.guild_id)
    if start < len(records):
        yield records[start:]


def concerns_all_guilds(record: Record) -> bool:
    """Say whether it must be known for an entry which guilds the bot is in."""
    return record.entry is not None and type(record.entry.input) is GuildsKnown


def place(journal_id: str) -> tuple[int, ...]:
    """Return what tells which of two ids is later."""
    return tuple(map(int, journal_id.split("-")))
