"""Who attended: an event's window laid over the sessions in its channels (seed 002; DESIGN 4).

One reading for all: the running event (``participation``) and the score from the ledger's rows (``score``)
both go through ``Progress.add``, the one in small steps as time passes, the other at once.
"""

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

from msgspec import Struct

from engine.domain.events import Event
from engine.domain.inputs import VoiceFlags


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
    """A session as attendance sees it. ``pieces``: its ended spans in order; the last one runs since ``span_at``.

    ``left_at`` is None while it is open; slacks as in ``sessions.Session``.
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
    counted and not, up to the last change; of an ended event, all. ``eligible``: None until the event is over.
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
