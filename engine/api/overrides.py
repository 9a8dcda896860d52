"""``.../override``: what is different for one player or one event, as long as it lives."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field, StrictBool

from engine.api.errors import Refused, documented
from engine.api.event_writes import no_event
from engine.api.providers import Changes, LedgerReads
from engine.api.reads import Reads
from engine.api.schemas import Snowflake, Wire
from engine.domain.tracking import Override, SubjectKind
from engine.storage.queries import Row

router = APIRouter(tags=["overrides"])

Label = Annotated[str, Field(min_length=1, max_length=64, examples=["users"], strict=True)]
# A thousand years: as good as never, and a moment that can still be written.
_TIMEOUT_MAX_S = 1_000 * 365 * 86_400


class OverrideTerms(Wire):
    """What is different. What is left out is as for all others, whatever `[trackers.overrides]` says."""

    timeout_s: Annotated[
        Annotated[float, Field(gt=0, le=_TIMEOUT_MAX_S, strict=True)] | None,
        Field(description="Instead of every tracker's timeout, in seconds.", examples=[600]),
    ] = None
    trackers: Annotated[
        Annotated[list[Label], Field(min_length=1, max_length=100)] | None,
        Field(description="The labels of the only trackers that count. Each must be one that is configured."),
    ] = None
    exempt: Annotated[StrictBool, Field(description="It never expires.")] = False


class PlayerOverride(OverrideTerms):
    """Of a guild's player, until it leaves voice."""

    guild_id: Snowflake


class EventOverride(OverrideTerms):
    """Of an active event, until it is over."""

    event_id: Snowflake


@router.get("/guilds/{guildId}/player/override", responses=documented(404, 422))
def player_override(
    guild_id: Annotated[Snowflake, Path(alias="guildId")], reads: LedgerReads
) -> PlayerOverride:
    """Show what is different for a guild's player at run time; the configuration may say more."""
    return PlayerOverride.model_validate({"guildId": guild_id} | _of_player(reads, guild_id))


@router.put("/guilds/{guildId}/player/override", responses=documented(404, 409, 422))
def override_player(
    guild_id: Annotated[Snowflake, Path(alias="guildId")],
    terms: OverrideTerms,
    changes: Changes,
    reads: LedgerReads,
) -> PlayerOverride:
    """Let something be different for a guild's player. Where the bot is in no voice channel: 409."""
    changes.override(SubjectKind.PLAYER, int(guild_id), _wanted(terms))
    return PlayerOverride.model_validate({"guildId": guild_id} | _of_player(reads, guild_id))


@router.delete("/guilds/{guildId}/player/override", status_code=204, responses=documented(404, 409, 422))
def drop_player_override(
    guild_id: Annotated[Snowflake, Path(alias="guildId")], changes: Changes, reads: LedgerReads
) -> None:
    """Let a guild's player be as the configuration has it again."""
    _of_player(reads, guild_id)
    changes.override(SubjectKind.PLAYER, int(guild_id), None)


@router.get("/events/{eventId:event}/override", responses=documented(404, 422))
def event_override(
    event_id: Annotated[Snowflake, Path(alias="eventId")], reads: LedgerReads
) -> EventOverride:
    """Show what is different for an event at run time; the configuration may say more."""
    return EventOverride.model_validate({"eventId": event_id} | _of_event(reads, event_id))


@router.put("/events/{eventId:event}/override", responses=documented(404, 409, 422))
def override_event(
    event_id: Annotated[Snowflake, Path(alias="eventId")],
    terms: OverrideTerms,
    changes: Changes,
    reads: LedgerReads,
) -> EventOverride:
    """Let something be different for an event. One that is not active: 409."""
    changes.override(SubjectKind.EVENT, int(event_id), _wanted(terms))
    return EventOverride.model_validate({"eventId": event_id} | _of_event(reads, event_id))


@router.delete("/events/{eventId:event}/override", status_code=204, responses=documented(404, 409, 422))
def drop_event_override(
    event_id: Annotated[Snowflake, Path(alias="eventId")], changes: Changes, reads: LedgerReads
) -> None:
    """Let an event be as the configuration has it again."""
    _of_event(reads, event_id)
    changes.override(SubjectKind.EVENT, int(event_id), None)


def _wanted(terms: OverrideTerms) -> Override:
    timeout_ms = None if terms.timeout_s is None else max(1, round(terms.timeout_s * 1000))
    trackers = None if terms.trackers is None else tuple(dict.fromkeys(terms.trackers))
    return Override(timeout_ms, trackers, terms.exempt)


def _of_player(reads: Reads, guild_id: str) -> Row:
    found = reads.override(SubjectKind.PLAYER, int(guild_id))
    if found is None:
        raise Refused(404, f"the player of guild {guild_id} has no override", "guildId")
    return found


def _of_event(reads: Reads, event_id: str) -> Row:
    found = reads.override(SubjectKind.EVENT, int(event_id))
    if found is not None:
        return found
    if reads.event(int(event_id)) is None:
        raise no_event(event_id)
    raise Refused(404, f"the event {event_id} has no override", "eventId")
