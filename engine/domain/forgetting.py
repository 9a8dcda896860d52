"""Who asked to be forgotten: what the journal may still tell of them, and what of theirs events need.

Old entries cannot be taken out of a journal, so what they say of the forgotten is left out whenever they are
read, for as long as the journal may hold them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

import msgspec.msgpack
from msgspec.structs import replace

from engine.domain.attendance import Stay, overlaps, window
from engine.domain.events import Event
from engine.domain.inputs import (
    Entry,
    GuildSnapshot,
    Input,
    MemberNamed,
    MemberRemoved,
    OutboxOutcome,
    RolesChanged,
    VoiceStateChanged,
)

InputT = TypeVar("InputT", bound=Input)

# By user: up to when nothing is known of them.
Forgotten = Mapping[int, int]


def without(what: InputT, forgotten: Forgotten) -> InputT | None:
    """Return what an input tells of all others; None where it tells of one of the forgotten alone."""
    if isinstance(what, GuildSnapshot):
        there = tuple(it for it in what.voice_states if not _is_over(forgotten, it.user_id, what.at))
        return what if len(there) == len(what.voice_states) else replace(what, voice_states=there)
    if isinstance(what, VoiceStateChanged | MemberRemoved | RolesChanged | MemberNamed):
        return None if _is_over(forgotten, what.user_id, what.at) else what
    return what


def kept(forgotten: dict[int, int], since: int) -> dict[int, int]:
    """Return whom to remember as forgotten: the journal holds nothing older than ``since``."""
    if all(at >= since for at in forgotten.values()):
        return forgotten
    return {user_id: at for user_id, at in forgotten.items() if at >= since}


def is_about(what: Input, user_id: int) -> bool:
    """Say whether an input names a person, beside whomever else."""
    if isinstance(what, GuildSnapshot):
        return any(it.user_id == user_id for it in what.voice_states)
    if isinstance(what, OutboxOutcome):  # a badge's delivery bears its member's id
        return str(user_id) in what.outbox_id or str(user_id) in what.detail
    return getattr(what, "user_id", None) == user_id


def tells_of(entry: Entry | None, raw: bytes, user_id: int) -> bool:
    """Say whether a journal entry names a person; of one that cannot be read (None), its bytes decide."""
    if entry is not None:
        return is_about(entry.input, user_id)
    return any(mark in raw for mark in marks(user_id))


def marks(user_id: int) -> tuple[bytes, bytes]:
    """Return the two ways in which an id stands in what we write: in digits, and as msgpack's integer.

    The latter is big-endian, as is SQLite's.
    """
    return str(user_id).encode(), msgspec.msgpack.encode(user_id)


def blotted(entry: Entry | None, raw: bytes, forgotten: Forgotten) -> bytes:
    """Return an entry's bytes as a dead letter may keep them: none, if they tell of one of the forgotten."""
    for user_id, at in forgotten.items():
        if (entry is None or entry.input.at <= at) and tells_of(entry, raw, user_id):
            return b""
    return raw


def read_by_events(stays: Sequence[Stay], events: Iterable[Event]) -> dict[int, frozenset[int]]:
    """Return which of a user's stays in a guild its events read, by ``joined_at``, each with the roles that
    these events require.

    ``stays``: all closed, in order of joining. ``events``: those of the guild that have begun.
    """
    found: dict[int, frozenset[int]] = {}
    joins = [stay.joined_at for stay in stays]
    # Slacks may make a stay reach further than the next one: nobody before `reach` does.
    reach = list(accumulate((_last_moment(stay) for stay in stays), max))
    widest_ms = max((stay.joined_slack_ms for stay in stays), default=0)
    for event in events:
        started_at, ends_at = window(event)
        first, behind = bisect_right(reach, started_at), bisect_left(joins, ends_at + widest_ms)
        for stay in stays[first:behind]:
            if stay.channel_id in event.channel_ids and overlaps(event, stay):
                roles = found.get(stay.joined_at, frozenset())
                found[stay.joined_at] = roles.union(event.required_role_ids)
    return found


def _last_moment(stay: Stay) -> int:
    assert stay.left_at is not None
    return max(stay.left_at + stay.left_slack_ms, stay.joined_at + 1)


def _is_over(forgotten: Forgotten, user_id: int, at: int) -> bool:
    return at <= forgotten.get(user_id, -1)
