"""``/events/{eventId}/...``: who took part in an event, who earned its badge, and how it went."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from engine.api.attendance_schemas import (
    Badge,
    BadgePage,
    BadgeQuery,
    EventStats,
    Participant,
    ParticipantPage,
    ParticipantQuery,
)
from engine.api.errors import documented
from engine.api.event_writes import no_event
from engine.api.providers import LedgerReads
from engine.api.schemas import Snowflake

router = APIRouter(prefix="/events/{eventId}", tags=["events"], responses=documented(404, 422))


@router.get("/participants", response_model_exclude_unset=True)
def event_participants(
    event_id: Annotated[Snowflake, Path(alias="eventId")],
    wanted: Annotated[ParticipantQuery, Query()],
    reads: LedgerReads,
) -> ParticipantPage:
    """List an event's participants by their ids, a page at a time; while it is active, as they stand now."""
    asked = wanted.model_dump(include={"limit", "cursor", "intervals", "eligible"})
    page = reads.participants(int(event_id), **asked)
    if page is None:
        raise no_event(event_id)
    return ParticipantPage(items=[Participant.model_validate(it) for it in page.items], next=page.next)


@router.get("/badges")
def event_badges(
    event_id: Annotated[Snowflake, Path(alias="eventId")],
    wanted: Annotated[BadgeQuery, Query()],
    reads: LedgerReads,
) -> BadgePage:
    """List an event's badges by the ids of who has them, a page at a time."""
    page = reads.badges(int(event_id), limit=wanted.limit, cursor=wanted.cursor)
    if page is None:
        raise no_event(event_id)
    return BadgePage(items=[Badge.model_validate(it) for it in page.items], next=page.next)


@router.get("/stats")
def event_stats(event_id: Annotated[Snowflake, Path(alias="eventId")], reads: LedgerReads) -> EventStats:
    """Show how an event went: participants, peak, counted seconds, reasons, badges."""
    found = reads.event_stats(int(event_id))
    if found is None:
        raise no_event(event_id)
    return EventStats.model_validate(found)
