"""What the REST routes of scheduled events answer."""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias

from aiohttp import web
from msgspec import UNSET, Meta, Struct, UnsetType

from bot_adapter.simulator import payloads
from bot_adapter.simulator.entities import EntityType, Guild, ScheduledEvent, ScheduledStatus
from bot_adapter.simulator.payloads import Json
from bot_adapter.simulator.requests import (
    UNKNOWN_GUILD,
    UNKNOWN_SCHEDULED_EVENT,
    find,
    id_of,
    json_body,
    wants,
)
from bot_adapter.simulator.schedule import FormError
from bot_adapter.simulator.world import World

_REQUIRED = ("name", "privacy_level", "scheduled_start_time", "entity_type")
_PRIVACY: TypeAlias = Annotated[int, Meta(ge=2, le=2)]


class _Metadata(Struct):
    location: str | None = None


class _Form(Struct):
    """The body of POST and PATCH. A picture and a rule of recurrence are taken, and not kept."""

    name: str | UnsetType = UNSET
    privacy_level: _PRIVACY | UnsetType = UNSET
    scheduled_start_time: datetime | UnsetType = UNSET
    entity_type: EntityType | UnsetType = UNSET
    channel_id: int | UnsetType | None = UNSET
    scheduled_end_time: datetime | UnsetType | None = UNSET
    entity_metadata: _Metadata | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    status: ScheduledStatus | UnsetType = UNSET


class ScheduledEventResources:
    """Each method takes a request and returns the JSON body, or None for 204."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def list(self, request: web.Request) -> object:
        events = self._guild(request).scheduled_events.values()
        return [self._describe(it, request) for it in events]

    async def create(self, request: web.Request) -> object:
        guild, form = self._guild(request), await json_body(request, _Form)
        for field in _REQUIRED:
            if getattr(form, field) is UNSET:
                raise FormError(field, "BASE_TYPE_REQUIRED", "This field is required")
        fields = self._fields(form)
        fields.pop("status", None)
        return self._tell(self._world.create_scheduled_event(guild.guild_id, **fields))

    async def get(self, request: web.Request) -> object:
        return self._describe(self._event(request), request)

    async def change(self, request: web.Request) -> object:
        guild, event_id = self._guild(request), id_of(request, "event_id")
        if event_id not in guild.finished_events:
            self._event(request)
        fields = self._fields(await json_body(request, _Form))
        return self._tell(self._world.change_scheduled_event(guild.guild_id, event_id, **fields))

    async def delete(self, request: web.Request) -> None:
        event = self._event(request)
        self._world.delete_scheduled_event(event.guild_id, event.event_id)

    def _fields(self, form: _Form) -> dict[str, Any]:
        """Return what the world calls those fields that the form sets."""
        fields = {
            "name": form.name,
            "description": form.description,
            "channel_id": form.channel_id,
            "entity_type": form.entity_type,
            "status": form.status,
            "starts_at_ms": self._start(form.scheduled_start_time),
            "ends_at_ms": _at(form.scheduled_end_time),
            "location": form.entity_metadata and form.entity_metadata.location,
        }
        return {key: value for key, value in fields.items() if value is not UNSET}

    def _start(self, start: datetime | UnsetType) -> int | UnsetType | None:
        """Refuse a start in the past: only whoever asks for one by REST is, the world may have older ones."""
        at = _at(start)
        if isinstance(at, int) and at < self._world.clock():
            reason = "GUILD_SCHEDULED_EVENT_SCHEDULE_PAST"
            raise FormError("scheduled_start_time", reason, "Cannot schedule event in the past.")
        return at

    def _guild(self, request: web.Request) -> Guild:
        return find(self._world.guild, id_of(request, "guild_id"), UNKNOWN_GUILD, "Guild")

    def _event(self, request: web.Request) -> ScheduledEvent:
        events = self._guild(request).scheduled_events
        event_id = id_of(request, "event_id")
        return find(events.__getitem__, event_id, UNKNOWN_SCHEDULED_EVENT, "Guild Scheduled Event")

    def _tell(self, event: ScheduledEvent) -> Json:
        creator = self._world.guild(event.guild_id).members.get(event.creator_id)
        told = payloads.scheduled_event(event)
        return told if creator is None else told | {"creator": payloads.user(creator.user)}

    def _describe(self, event: ScheduledEvent, request: web.Request) -> Json:
        # Whoever makes an event is interested in it. That others were is not played here.
        return self._tell(event) | ({"user_count": 1} if wants(request, "with_user_count") else {})


def _at(moment: datetime | UnsetType | None) -> int | UnsetType | None:
    if not isinstance(moment, datetime):
        return moment
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
