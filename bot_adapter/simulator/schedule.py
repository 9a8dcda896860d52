"""Guilds' scheduled events: who may become what, and what clients are told of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bot_adapter.simulator import payloads
from bot_adapter.simulator.entities import ChannelType, EntityType, Guild, ScheduledEvent, ScheduledStatus
from bot_adapter.simulator.structure import Structure, WorldError, wall_clock_ms
from bot_adapter.simulator.truth import TruthLog

# https://docs.discord.com/developers/resources/guild-scheduled-event
EVENTS_MAX = 100
NAME_MAX, DESCRIPTION_MAX, LOCATION_MAX = 100, 1000, 100
_TRANSITIONS = {
    (ScheduledStatus.SCHEDULED, ScheduledStatus.ACTIVE),
    (ScheduledStatus.SCHEDULED, ScheduledStatus.CANCELED),
    (ScheduledStatus.ACTIVE, ScheduledStatus.COMPLETED),
}
_CHANNEL_OF = {EntityType.VOICE: ChannelType.VOICE, EntityType.STAGE_INSTANCE: ChannelType.STAGE}

# What a change may name, and what it is called in the entity.
_FIELDS = {
    **{it: it for it in ("name", "description", "channel_id", "location", "entity_type", "status")},
    "starts_at_ms": "starts_at",
    "ends_at_ms": "ends_at",
}
_USUALLY_AHEAD_MS = 60_000


class FormError(WorldError):
    """A field that Discord would call wrong. ``path``: its keys, joined by dots.

    ``reason`` is Discord's where bots have reported one. Its documentation lists none.
    """

    def __init__(self, path: str, reason: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path, self.reason, self.message = path, reason, message


class FinishedError(WorldError):
    """A change to an event that is completed or canceled."""

    code = 180000


class TooManyError(WorldError):
    """One more scheduled event than a guild may have."""

    code = 30038


class Schedule(Structure):
    """A structure with scheduled events. Nothing happens by itself: whoever acts starts and ends them."""

    def __init__(self, seed: int = 1, clock: Callable[[], int] = wall_clock_ms) -> None:
        super().__init__(seed, clock)
        self.truth = TruthLog()

    def scheduled_event(self, guild_id: int, event_id: int) -> ScheduledEvent:
        """Return an event that is scheduled or active. Raises `FinishedError` or `WorldError`."""
        guild = self.guild(guild_id)
        if event_id in guild.finished_events:
            raise FinishedError("Cannot update a finished event")
        if event_id not in guild.scheduled_events:
            raise WorldError(f"unknown scheduled event {event_id}")
        return guild.scheduled_events[event_id]

    def create_scheduled_event(  # noqa: PLR0913, PLR0917 - what an event consists of
        self,
        guild_id: int,
        name: str,
        channel_id: int | None = None,
        starts_at_ms: int | None = None,
        ends_at_ms: int | None = None,
        entity_type: int = EntityType.VOICE,
        *,
        location: str | None = None,
        description: str | None = None,
    ) -> ScheduledEvent:
        """Announce an event. Times are ms UTC, and may lie in the past; without a start it is in a minute."""
        guild = self.guild(guild_id)
        if len(guild.scheduled_events) >= EVENTS_MAX:
            raise TooManyError("Maximum number of uncompleted guild scheduled events reached (100)")
        starts_at = self.clock() + _USUALLY_AHEAD_MS if starts_at_ms is None else starts_at_ms
        event = ScheduledEvent(
            self.new_id(),
            guild_id,
            self.bot.user_id,
            name,
            starts_at,
            ends_at_ms,
            EntityType(entity_type),
            channel_id,
            location,
            description,
        )
        return self._adopt(guild, event, "GUILD_SCHEDULED_EVENT_CREATE")

    def change_scheduled_event(self, guild_id: int, event_id: int, **fields: Any) -> ScheduledEvent:
        """Change some of those fields that `create_scheduled_event` takes, and the status."""
        if unknown := fields.keys() - _FIELDS.keys():
            raise WorldError(f"unknown fields of a scheduled event: {', '.join(sorted(unknown))}")
        event = self.scheduled_event(guild_id, event_id)
        if "starts_at_ms" in fields and event.status is ScheduledStatus.ACTIVE:
            reason = "GUILD_SCHEDULED_EVENT_SCHEDULE_INVALID_START_BY_STATUS"
            raise FormError("scheduled_start_time", reason, "Cannot update start time of an active event.")
        changed = replace(event, **{_FIELDS[key]: value for key, value in fields.items()})
        if changed.status != event.status:
            _check_transition(event.status, changed.status)
        return self._adopt(self.guild(guild_id), changed, "GUILD_SCHEDULED_EVENT_UPDATE")

    def start_scheduled_event(self, guild_id: int, event_id: int) -> ScheduledEvent:
        return self._turn(guild_id, event_id, ScheduledStatus.ACTIVE)

    def complete_scheduled_event(self, guild_id: int, event_id: int) -> ScheduledEvent:
        return self._turn(guild_id, event_id, ScheduledStatus.COMPLETED)

    def cancel_scheduled_event(self, guild_id: int, event_id: int) -> ScheduledEvent:
        """Set the status to CANCELED, as bots do. "Cancel event" in Discord's own client is a deletion."""
        return self._turn(guild_id, event_id, ScheduledStatus.CANCELED)

    def delete_scheduled_event(self, guild_id: int, event_id: int) -> None:
        """Delete an event. What is told of it has the status that it had (discord-api-docs issue 4105)."""
        event = self.scheduled_event(guild_id, event_id)
        self._drop(self.guild(guild_id), event)
        self.emit("GUILD_SCHEDULED_EVENT_DELETE", guild_id, payloads.scheduled_event(event))

    def _forget_channel(self, channel_id: int) -> None:
        """Let events in the channel go with it. Clients are not told (discord-api-docs issue 4581)."""
        guild = self.guilds[self.channel(channel_id).guild_id]
        for event in [it for it in guild.scheduled_events.values() if it.channel_id == channel_id]:
            self._drop(guild, event)
        super()._forget_channel(channel_id)

    def _turn(self, guild_id: int, event_id: int, status: ScheduledStatus) -> ScheduledEvent:
        _check_transition(self.scheduled_event(guild_id, event_id).status, status)
        return self.change_scheduled_event(guild_id, event_id, status=status)

    def _adopt(self, guild: Guild, event: ScheduledEvent, told_as: str) -> ScheduledEvent:
        """Take an event as it is now, if it is sound, and tell of it."""
        event = _normal(event)
        _check(guild, event)
        told = payloads.scheduled_event(event)
        guild.scheduled_events[event.event_id] = event
        if event.status.finished:
            del guild.scheduled_events[event.event_id]
            guild.finished_events.add(event.event_id)
        self.truth.scheduled(event, self.clock())
        self.emit(told_as, guild.guild_id, told)
        return event

    def _drop(self, guild: Guild, event: ScheduledEvent) -> None:
        del guild.scheduled_events[event.event_id]
        self.truth.unscheduled(event.event_id, self.clock())


def _normal(event: ScheduledEvent) -> ScheduledEvent:
    """Give the fields their types. A location stays with an external event only: Discord discards others."""
    entity_type, status = EntityType(event.entity_type), ScheduledStatus(event.status)
    location = event.location if entity_type is EntityType.EXTERNAL else None
    return replace(event, entity_type=entity_type, status=status, location=location)


def _check_transition(before: ScheduledStatus, after: ScheduledStatus) -> None:
    if (before, after) not in _TRANSITIONS:
        message = "Invalid Guild Scheduled Event Status Transition"
        raise FormError("status", "TRANSITION_INVALID", message)


def _check(guild: Guild, event: ScheduledEvent) -> None:
    """Raise `FormError` unless Discord would take the event."""
    _check_length("name", event.name, NAME_MAX)
    if event.description:
        _check_length("description", event.description, DESCRIPTION_MAX)
    if event.ends_at is not None and event.ends_at <= event.starts_at:
        reason = "GUILD_SCHEDULED_EVENT_SCHEDULE_END_BEFORE_START"
        raise FormError("scheduled_end_time", reason, "The end must lie after the start.")
    if event.entity_type is EntityType.EXTERNAL:
        _check_external(event)
    else:
        _check_channel(guild, event)


def _check_external(event: ScheduledEvent) -> None:
    if event.channel_id is not None:
        raise FormError("entity_type.channel_id", "BASE_TYPE_INVALID", "An external event has no channel.")
    if event.location is None:
        raise _required("entity_type.location")
    _check_length("entity_metadata.location", event.location, LOCATION_MAX)
    if event.ends_at is None:
        raise _required("scheduled_end_time")


def _check_channel(guild: Guild, event: ScheduledEvent) -> None:
    if event.channel_id is None:
        raise _required("entity_type.channel_id")
    channel = guild.channels.get(event.channel_id)
    if channel is None or channel.kind is not _CHANNEL_OF[event.entity_type]:
        message = f"Channel {event.channel_id} is none for an event of type {event.entity_type:d}."
        raise FormError("channel_id", "CHANNEL_TYPE_INVALID", message)


def _check_length(path: str, text: str, longest: int) -> None:
    if not 1 <= len(text) <= longest:
        raise FormError(path, "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {longest} in length.")


def _required(path: str) -> FormError:
    return FormError(path, "BASE_TYPE_REQUIRED", "This field is required")
