"""What the rules of inactivity want done; see ``effects``."""

from enum import IntEnum
from typing import TypeAlias

from msgspec import Struct

from engine.domain.tracking import Player, Presence, Subject, SubjectKind, SubjectState


class TransitionKind(IntEnum):
    """What listeners are told (notes of seed 000): of players and, with the same names, of events."""

    TRACKED = 0
    TRACKER_INACTIVE = 1
    TRACKER_ACTIVE = 2
    ACTIVE = 3
    EXPIRING = 4
    INACTIVE = 5
    PAUSE = 6
    RESUME = 7


class SavePlayer(Struct, frozen=True, gc=False):
    """Write a guild's player; None: it is gone."""

    guild_id: int
    player: Player | None


class SavePresence(Struct, frozen=True, gc=False):
    """Write where another bot is; ``presence`` None: nowhere."""

    guild_id: int
    user_id: int
    presence: Presence | None


class SaveSubject(Struct, frozen=True, gc=False):
    """Write a subject with its marks."""

    guild_id: int
    subject: Subject


class DropSubject(Struct, frozen=True, gc=False):
    """Forget everything about a subject: it has ended."""

    guild_id: int
    kind: SubjectKind
    subject_id: int


class TellListeners(Struct, frozen=True, gc=False):
    """A transition, with its own snapshot: ``state`` and ``deadline`` right after it.

    ``at``: the transition's own moment. ``tracker``: whose mark it was. ``cause`` in words.
    """

    guild_id: int
    kind: SubjectKind
    subject_id: int
    what: TransitionKind
    at: int
    state: SubjectState
    deadline: int | None = None
    tracker: str | None = None
    cause: str = ""


class DisconnectPlayer(Struct, frozen=True, tag="disconnect", gc=False):
    """Take the bot out of a guild's voice channel, through the outbox; if it is still in ``channel_id``."""

    outbox_id: str
    guild_id: int
    channel_id: int
    at: int


class NotifyExpiry(Struct, frozen=True, gc=False):
    """Have it told outside that a guild's player, in ``channel_id`` since ``since``, has expired ``at``.

    Kept in the outbox until it is told, as badges are. ``outbox_id``: the same each time it is told.
    """

    outbox_id: str
    guild_id: int
    channel_id: int
    since: int
    at: int
    cause: str = ""


class AbandonEvent(Struct, frozen=True, gc=False):
    """Stop an event that everybody had left at ``since``; its time ends there."""

    guild_id: int
    event_id: int
    since: int
    at: int


class WakeAt(Struct, frozen=True, gc=False):
    """When the guild's next deadline passes, None if none runs. The last effect of a step that moved it."""

    guild_id: int
    at: int | None


TrackerEffect: TypeAlias = (
    SavePlayer
    | SavePresence
    | SaveSubject
    | DropSubject
    | TellListeners
    | DisconnectPlayer
    | NotifyExpiry
    | AbandonEvent
    | WakeAt
)
