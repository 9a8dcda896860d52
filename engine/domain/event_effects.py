"""What an event's step wants done; see ``effects``."""

from typing import Literal, TypeAlias

from msgspec import Struct

from engine.domain.attendance import Participant
from engine.domain.events import Event
from engine.domain.rules import BadgeRules

AnswerCode: TypeAlias = Literal["ok", "not_found", "conflict", "invalid"]


class SaveEvent(Struct, frozen=True, gc=False):
    """Write an event's row."""

    event: Event


class SaveParticipants(Struct, frozen=True, gc=False):
    """Write participants' rows, all in one call. ``whole``: any other row of the event goes."""

    guild_id: int
    event_id: int
    rows: tuple[Participant, ...]
    whole: bool = False


class DropParticipant(Struct, frozen=True, gc=False):
    """Remove a participant who turned out never to have been in the event."""

    guild_id: int
    event_id: int
    user_id: int


class FollowParticipants(Struct, frozen=True, gc=False):
    """Mirror participants of an active event in the live state. Their rows stay as they were."""

    guild_id: int
    event_id: int
    rows: tuple[Participant, ...]


class LinkSessions(Struct, frozen=True, gc=False):
    """Link sessions, each as ``(user_id, joined_at)``. ``whole``: to no others is the event linked."""

    guild_id: int
    event_id: int
    sessions: tuple[tuple[int, int], ...]
    whole: bool = False


class UnlinkSession(Struct, frozen=True, gc=False):
    """Take a session's link back: the session left no row, or only seemed to overlap."""

    guild_id: int
    event_id: int
    user_id: int
    joined_at: int


class AwardBadges(Struct, frozen=True, gc=False):
    """Give these users the event's badge, and have it delivered. Whoever has it gets no second one."""

    guild_id: int
    event_id: int
    user_ids: tuple[int, ...]
    badges: BadgeRules
    at: int


class Answer(Struct, frozen=True, gc=False):
    """The outcome of a request, given once it is committed. ``field``: the one at fault, as HTTP names it.

    ``detail``: what a re-score changed, see ``rescoring.Difference``.
    """

    request_id: str
    code: AnswerCode = "ok"
    message: str = ""
    field: str | None = None
    detail: dict[str, int] = {}


EventEffect: TypeAlias = (
    SaveEvent
    | SaveParticipants
    | DropParticipant
    | FollowParticipants
    | LinkSessions
    | UnlinkSession
    | AwardBadges
    | Answer
)
