"""What can happen to events: requests from HTTP or the command line, and what Discord tells of its own.

Requests are journaled like facts. They may be refused when their turn comes, so each carries a
``request_id`` under which an ``Answer`` is given once the outcome is committed.
"""

from enum import IntEnum
from typing import TypeAlias

from msgspec import UNSET, Struct, UnsetType

from engine.domain.ids import occurrence_id


class PolicyFields(Struct, frozen=True, omit_defaults=True):
    """Those parts of an event's policy that a request sets; see ``events.Policy``."""

    count_muted: bool | UnsetType = UNSET
    count_suppressed: bool | UnsetType = UNSET
    count_alone: bool | UnsetType = UNSET
    count_afk: bool | UnsetType = UNSET
    count_bridged: bool | UnsetType = UNSET
    generous: bool | UnsetType = UNSET


class EventFields(Struct, frozen=True, omit_defaults=True):
    """Those fields of an event that a request sets; see ``events.Event``. Encoded as a map, by name."""

    name: str | UnsetType = UNSET
    channel_ids: tuple[int, ...] | UnsetType = UNSET
    starts_at: int | UnsetType | None = UNSET
    ends_at: int | UnsetType | None = UNSET
    required_role_ids: tuple[int, ...] | UnsetType = UNSET
    match_all: bool | UnsetType = UNSET
    min_duration_ms: int | UnsetType = UNSET
    min_share: float | UnsetType = UNSET
    policy: PolicyFields | UnsetType = UNSET


class EntityType(IntEnum):
    """What Discord's scheduled events take place in (Discord, "Guild Scheduled Event Entity Types")."""

    STAGE_INSTANCE = 1
    VOICE = 2
    EXTERNAL = 3


class ScheduledStatus(IntEnum):
    """Discord, "Guild Scheduled Event Status"."""

    SCHEDULED = 1
    ACTIVE = 2
    COMPLETED = 3
    CANCELED = 4


class ScheduledEvent(Struct, frozen=True, array_like=True, gc=False):
    """One of Discord's own scheduled events, of a voice or a stage channel. ``status``: ScheduledStatus.

    A ``recurring`` one keeps its id through all its occurrences.
    """

    event_id: int
    channel_id: int
    name: str
    status: int
    starts_at: int
    ends_at: int | None = None
    recurring: bool = False


class CreateEvent(Struct, frozen=True, array_like=True, tag=14):
    """A request for a new event. ``source``: api or command."""

    at: int
    guild_id: int
    event_id: int
    fields: EventFields
    source: str = "api"
    request_id: str = ""


class ChangeEvent(Struct, frozen=True, array_like=True, tag=15):
    """A request to change an event, at any time of its life."""

    at: int
    guild_id: int
    event_id: int
    fields: EventFields
    request_id: str = ""


class StartEvent(Struct, frozen=True, array_like=True, tag=16, gc=False):
    """A request to start a scheduled event now."""

    at: int
    guild_id: int
    event_id: int
    request_id: str = ""


class StopEvent(Struct, frozen=True, array_like=True, tag=17, gc=False):
    """A request to end an active event now."""

    at: int
    guild_id: int
    event_id: int
    request_id: str = ""


class CancelEvent(Struct, frozen=True, array_like=True, tag=18, gc=False):
    """A request to cancel a scheduled or active event: nobody earns a badge."""

    at: int
    guild_id: int
    event_id: int
    request_id: str = ""


class RescoreEvent(Struct, frozen=True, array_like=True, tag=19, gc=False):
    """A request to score an event again from the kept spans."""

    at: int
    guild_id: int
    event_id: int
    request_id: str = ""


class ScheduledEventChanged(Struct, frozen=True, array_like=True, tag=20, gc=False):
    """A GUILD_SCHEDULED_EVENT_CREATE or _UPDATE, or an event that a snapshot showed to be there."""

    at: int
    guild_id: int
    event: ScheduledEvent
    replayed_from: int | None = None

    @property
    def event_id(self) -> int:
        """Return our id of the event: Discord's own, or one for each occurrence."""
        told = self.event
        return occurrence_id(told.event_id, told.starts_at) if told.recurring else told.event_id


class ScheduledEventGone(Struct, frozen=True, array_like=True, tag=21, gc=False):
    """A GUILD_SCHEDULED_EVENT_DELETE, or an event of ours that a snapshot showed no more.

    ``event_id`` is Discord's.
    """

    at: int
    guild_id: int
    event_id: int
    replayed_from: int | None = None


EventInput: TypeAlias = (
    CreateEvent
    | ChangeEvent
    | StartEvent
    | StopEvent
    | CancelEvent
    | RescoreEvent
    | ScheduledEventChanged
    | ScheduledEventGone
)
