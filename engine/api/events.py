"""``/events``: read from the ledger, those that are active from the live state; changed by the engine."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import ValidationError
from starlette.convertors import Convertor, register_url_convertor

from engine.api.errors import InvalidField, documented
from engine.api.event_schemas import (
    ActiveQuery,
    Event,
    EventDraft,
    EventPage,
    EventQuery,
    EventRescored,
    EventTerms,
)
from engine.api.event_writes import no_event
from engine.api.providers import ActiveEvents, Changes, LedgerReads, LiveEvents
from engine.api.schemas import Snowflake
from engine.domain.event_inputs import CancelEvent, RescoreEvent, StartEvent, StopEvent
from engine.storage.protocols import StorageError
from engine.storage.queries import EventFilter, Row

log = structlog.get_logger(__name__)


class EventIdConvertor(Convertor[str]):
    """What may stand in the place of an event's id: anything but ``active``, which is a list of its own.

    So that no method but the list's is taken there.
    """

    regex = "(?!active$)[^/]+"

    def convert(self, value: str) -> str:
        """Take it as it stands; whether it is an id is the parameter's business."""
        return value

    def to_string(self, value: str) -> str:
        """Write it as it stands."""
        return value


register_url_convertor("event", EventIdConvertor())

router = APIRouter(prefix="/events", tags=["events"])

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=64,
        pattern="^[!-~]+$",
        description="To try again after no answer: of a guild's requests with the same key one makes an"
        " event, and all are answered with that. The last 1,000 keys are known, until the engine restarts.",
    ),
]
_LOCATION = {"Location": {"description": "Where the event is.", "schema": {"type": "string"}}}


@router.get("", responses=documented(422))
def events(wanted: Annotated[EventQuery, Query()], reads: LedgerReads) -> EventPage:
    """List events, the latest first, a page at a time."""
    if wanted.since and wanted.until and wanted.since > wanted.until:
        raise InvalidField("from", "must not be after 'to'")
    chosen = EventFilter.written(
        {"guild_id": wanted.guild_id, "channel_id": wanted.channel_id},
        wanted.since,
        wanted.until,
        wanted.status,
    )
    page = reads.events(chosen, limit=wanted.limit, cursor=wanted.cursor)
    return _page(page.items, page.next)


@router.get("/active", responses=documented(422))
def active_events(wanted: Annotated[ActiveQuery, Query()], reads: LedgerReads, live: LiveEvents) -> EventPage:
    """List a guild's active events, or those in one of its channels."""
    guild_id = int(wanted.guild_id)
    channel_id = None if wanted.voice_channel_id is None else int(wanted.voice_channel_id)
    return _mirrored(live, guild_id, channel_id) or _page(reads.active_events(guild_id, channel_id))


@router.post(
    "",
    status_code=201,
    responses={**documented(422), 201: {"headers": _LOCATION}},
)
def create_event(
    draft: EventDraft, changes: Changes, response: Response, idempotency_key: IdempotencyKey = None
) -> Event:
    """Make an event; it begins when it is started, or at its `startsAt`."""
    event = Event.model_validate(changes.create(draft, idempotency_key))
    response.headers["Location"] = f"/events/{event.event_id}"
    return event


@router.get("/{eventId:event}", responses=documented(404, 422))
def event(event_id: Annotated[Snowflake, Path(alias="eventId")], reads: LedgerReads) -> Event:
    """Show one event."""
    found = reads.event(int(event_id))
    if found is None:
        raise no_event(event_id)
    return Event.model_validate(found)


@router.patch("/{eventId:event}", responses=documented(404, 409, 422), response_model_exclude_unset=True)
def change_event(
    event_id: Annotated[Snowflake, Path(alias="eventId")], terms: EventTerms, changes: Changes
) -> EventRescored:
    """Change what is given, at any time of its life. Once it has begun, its attendance is scored again."""
    return EventRescored.model_validate(changes.change(int(event_id), terms))


@router.post("/{eventId:event}/start", responses=documented(404, 409, 422))
def start_event(event_id: Annotated[Snowflake, Path(alias="eventId")], changes: Changes) -> Event:
    """Start a scheduled event now."""
    return Event.model_validate(changes.act(StartEvent, int(event_id)))


@router.put("/{eventId:event}/stop", responses=documented(404, 409, 422))
def stop_event(event_id: Annotated[Snowflake, Path(alias="eventId")], changes: Changes) -> Event:
    """End an active event now. Its badges follow once it is `settled`."""
    return Event.model_validate(changes.act(StopEvent, int(event_id)))


@router.post("/{eventId:event}/cancel", responses=documented(404, 409, 422))
def cancel_event(event_id: Annotated[Snowflake, Path(alias="eventId")], changes: Changes) -> Event:
    """Cancel an event that has not ended: nobody earns a badge."""
    return Event.model_validate(changes.act(CancelEvent, int(event_id)))


@router.post(
    "/{eventId:event}/rescore", responses=documented(404, 409, 422), response_model_exclude_unset=True
)
def rescore_event(event_id: Annotated[Snowflake, Path(alias="eventId")], changes: Changes) -> EventRescored:
    """Score attendance again from the kept spans, and tell what that changed."""
    return EventRescored.model_validate(changes.act(RescoreEvent, int(event_id)))


def _page(items: list[Row], following: str | None = None) -> EventPage:
    return EventPage(items=[Event.model_validate(it) for it in items], next=following)


def _mirrored(live: ActiveEvents, guild_id: int, channel_id: int | None) -> EventPage | None:
    """Return what the live state has; None where it cannot tell, or where somebody else wrote it."""
    try:
        found = live(guild_id, channel_id)
        return None if found is None else _page(found)
    except (StorageError, ValidationError) as error:
        reason = str(error).partition("\n")[0]
        log.warning("live_state_unreadable", guild_id=guild_id, reason=reason)
        return None
