"""Who attended: an event's window laid over the sessions in its channels (seed 002; DESIGN 4).

One reading for all: the running event (``participation``) and the score from the ledger's rows (``score``)
both go through ``Progress.add``, the one in small steps as time passes, the other at once.
"""

from collections.abc import Iterator
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import Struct

from engine.domain.events import Event, Policy
from engine.domain.inputs import VoiceFlags

END_OF_TIME = 2**63 - 1


class Reason(IntEnum):
    """Why time in an event channel does not count; its place in a ``Tally``. Of several, the first holds."""

    COUNTED = 0
    DEAFENED = 1
    MISSING_ROLE = 2
    AFK = 3
    BRIDGED = 4
    SUPPRESSED = 5
    MUTED = 6
    ALONE = 7


# Milliseconds by Reason.
Tally = tuple[int, int, int, int, int, int, int, int]
NOTHING: Tally = (0, 0, 0, 0, 0, 0, 0, 0)


class Piece(NamedTuple):
    """A span that has ended, ``[started_at, ended_at)``."""

    started_at: int
    ended_at: int
    flags: int
    roles: tuple[int, ...] = ()


class Stay(Struct, frozen=True, gc=False):
    """A session as attendance sees it.

    ``pieces``: its ended spans in order; the last span runs since ``span_at``. ``left_at`` is None while it
    is open; slacks as in ``sessions.Session``.
    """

    user_id: int
    channel_id: int
    joined_at: int
    span_at: int
    flags: int
    roles: tuple[int, ...] = ()
    joined_slack_ms: int = 0
    left_at: int | None = None
    left_slack_ms: int = 0
    pieces: tuple[Piece, ...] = ()


class Participant(Struct, frozen=True, gc=False):
    """What an event knows of one member.

    ``entered_at``: first seen in it. ``start_at``, ``end_at``: their last stretch of counted time, still
    running while ``end_at`` is None; of one who never counted, both are ``entered_at``. ``tally``: ms
    counted and not. ``eligible``: None until the event is over.
    """

    user_id: int
    entered_at: int
    start_at: int
    end_at: int | None = None
    tally: Tally = NOTHING
    eligible: bool | None = None

    @property
    def counted_ms(self) -> int:
        """Return the counted time."""
        return self.tally[0]


class Progress(Struct, frozen=True, gc=False):
    """How far one member's time has been read. ``edge``: up to there.

    ``start_at``, ``end_at``: the last stretch of counted time; None as long as nothing counted.
    """

    edge: int
    tally: Tally = NOTHING
    start_at: int | None = None
    end_at: int | None = None


def add(progress: Progress, start_at: int, end_at: int, reason: Reason) -> Progress:
    """Read on: a time that counts, or why it does not. What was read before is not read twice."""
    edge, tally = progress.edge, progress.tally
    start_at = max(start_at, edge)
    if start_at >= end_at:
        return progress
    if reason is Reason.COUNTED:
        begun_at = progress.start_at if progress.end_at == start_at else start_at
        return Progress(end_at, (tally[0] + end_at - start_at, *tally[1:]), begun_at, end_at)
    longer: Any = (*tally[:reason], tally[reason] + end_at - start_at, *tally[reason + 1 :])
    return Progress(end_at, longer, progress.start_at, progress.end_at)


def reason_of(event: Event, channel_id: int, flags: int, roles: tuple[int, ...]) -> Reason:
    """Say why a span does not count, or that it does. Whether its member was alone is not in it."""
    if flags & _DEAFENED:
        return Reason.DEAFENED
    if event.required_role_ids and not holds_roles(event, roles):
        return Reason.MISSING_ROLE
    if channel_id == event.afk_channel_id and not event.policy.count_afk:
        return Reason.AFK
    for mask, reason in _left_out(event.policy):
        if flags & mask:
            return reason
    return Reason.COUNTED


@lru_cache(maxsize=64)
def _left_out(policy: Policy) -> tuple[tuple[int, Reason], ...]:
    """Return the flags whose time does not count, in the order of the reasons."""
    flags = (
        (policy.count_bridged, VoiceFlags.BRIDGED, Reason.BRIDGED),
        (policy.count_suppressed, VoiceFlags.SUPPRESS, Reason.SUPPRESSED),
        (policy.count_muted, VoiceFlags.SELF_MUTE | VoiceFlags.MUTE, Reason.MUTED),
    )
    # Plain integers: the operators of IntFlag cost more than all the rest.
    return tuple((int(mask), reason) for counts, mask, reason in flags if not counts)


_DEAFENED = int(VoiceFlags.SELF_DEAF | VoiceFlags.DEAF)


def holds_roles(event: Event, roles: tuple[int, ...]) -> bool:
    """Say whether these roles are what the event requires."""
    held = [role_id in roles for role_id in event.required_role_ids]
    return all(held) if event.match_all or not held else any(held)


def reading(event: Event, stay: Stay) -> tuple[int, int]:
    """Return from when to when a stay is taken to have been; ``END_OF_TIME`` while it is open.

    Strictly read it was there when it was certain, generously whenever it may have been. A stay of no
    length counts as a moment.
    """
    early_ms, late_ms = (stay.joined_slack_ms, stay.left_slack_ms) if event.policy.generous else (0, 0)
    if stay.left_at is None:
        return stay.joined_at - early_ms, END_OF_TIME
    return stay.joined_at - early_ms, max(stay.left_at + late_ms, stay.joined_at + 1)


def overlaps(event: Event, stay: Stay) -> bool:
    """Say whether a person's stay reaches into an event's window; an active event's is open at its end.

    Bots, where they are tracked, take part in nothing (DESIGN.md, "Attendance", rule 2).
    """
    if stay.flags & VoiceFlags.BOT:
        return False
    started_at, ends_at = window(event)
    begins_at, end_at = reading(event, stay)
    return begins_at < ends_at and end_at > started_at


def window(event: Event) -> tuple[int, int]:
    """Return an event's window, of one that has not begun an empty one at the end of time."""
    if event.started_at is None:
        return END_OF_TIME, END_OF_TIME
    return event.started_at, END_OF_TIME if event.ended_at is None else event.ended_at


def spans(event: Event, stay: Stay, until: int) -> Iterator[Piece]:
    """Yield a stay's spans inside the window up to ``until``, the slacks read as the policy says."""
    started_at, ends_at = window(event)
    begins_at, _ = reading(event, stay)
    last = Piece(stay.span_at, end_of(event, stay), stay.flags, stay.roles)
    for piece in (*stay.pieces, last):
        start_at = max(min(begins_at, piece.started_at), started_at)
        stop_at = min(piece.ended_at, ends_at, until)
        begins_at = END_OF_TIME  # only the first span begins with the slack
        if start_at < stop_at:
            yield Piece(start_at, stop_at, piece.flags, piece.roles)


def last_span(event: Event, stay: Stay) -> Piece | None:
    """Return the last of a stay's ``spans``, without going through all of them; None if it is outside."""
    started_at, ends_at = window(event)
    start_at = stay.span_at if stay.pieces else reading(event, stay)[0]
    start_at = max(start_at, started_at)
    end_at = min(end_of(event, stay), ends_at)
    return Piece(start_at, end_at, stay.flags, stay.roles) if start_at < end_at else None


def end_of(event: Event, stay: Stay) -> int:
    """Return where the last span ends: a stay of no length has one of no length."""
    if stay.left_at is None:
        return END_OF_TIME
    return stay.left_at + (stay.left_slack_ms if event.policy.generous else 0)


def is_linked(event: Event, stay: Stay) -> bool:
    """Say whether a session belongs to an event: in its channels and window, at some time with its roles."""
    if not overlaps(event, stay):
        return False
    if not event.required_role_ids:
        return True
    last = last_span(event, stay)
    if last is not None and holds_roles(event, last.roles):
        return True
    times = list(spans(event, stay, END_OF_TIME))
    if times:
        return any(holds_roles(event, it.roles) for it in times)
    return holds_roles(event, _roles_at(stay, max(event.started_at or 0, stay.joined_at)))


def _roles_at(stay: Stay, at: int) -> tuple[int, ...]:
    """Return what roles somebody held at one moment: all that there is of an event of no length."""
    return next((it.roles for it in stay.pieces if it.started_at <= at < it.ended_at), stay.roles)
