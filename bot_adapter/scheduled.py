"""Discord's scheduled events, as the engine knows them: of a voice or a stage channel."""

from msgspec import Raw

from bot_adapter.payloads import Reader, ScheduledEventPayload, moment
from engine.domain.event_inputs import EntityType, ScheduledEvent

_SCHEDULED_EVENT = Reader(ScheduledEventPayload)
_IN_CHANNELS = (EntityType.STAGE_INSTANCE, EntityType.VOICE)


def read_scheduled_event(event: str, data: Raw) -> ScheduledEvent | None:
    """Read one of a guild's list. Raises ``Malformed``."""
    return scheduled_event(event, _SCHEDULED_EVENT.read(event, data))


def scheduled_event(event: str, it: ScheduledEventPayload) -> ScheduledEvent | None:
    """Return an event of a voice or stage channel, None for one that is elsewhere. Raises ``Malformed``."""
    if it.entity_type not in _IN_CHANNELS or it.channel_id is None:
        return None
    starts_at = moment(event, "scheduled_start_time", it.scheduled_start_time)
    end = it.scheduled_end_time
    ends_at = None if end is None else moment(event, "scheduled_end_time", end)
    recurring = it.recurrence_rule is not None
    return ScheduledEvent(it.id, it.channel_id, it.name or "", int(it.status), starts_at, ends_at, recurring)
