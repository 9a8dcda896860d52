"""``/guilds/{guildId}/player``: whoever makes the bot play tells what it does, and sees how it stands."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import Field

from engine.api.errors import Refused, documented
from engine.api.overrides import OverrideTerms
from engine.api.providers import Changes, LedgerReads
from engine.api.schemas import Moment, Snowflake, Wire
from engine.domain.tracking import PlayerState

router = APIRouter(tags=["players"])


class ReportedPlayer(Wire):
    """What the player does."""

    state: Literal["playing", "paused", "idle"]


class Player(ReportedPlayer):
    """A guild's player: the bot's own voice there."""

    guild_id: Snowflake


class PlayerActivity(Player):
    """A guild's player, and what trackers make of it."""

    channel_id: Snowflake
    since: Annotated[Moment, Field(description="When it came into voice.")]
    paused_by_us: bool = Field(description="A pause that Rollcall asked for, which is no idleness.")
    activity: Literal["active", "suspected", "inactive", "expiring", "expired"]
    deadline: Moment | None = Field(description="When it expires, or did; null: no deadline runs.")
    override: OverrideTerms | None = Field(description="What is different for it at run time.")


@router.get("/guilds/{guildId}/player", responses=documented(404, 422))
def player(guild_id: Annotated[Snowflake, Path(alias="guildId")], reads: LedgerReads) -> PlayerActivity:
    """Show a guild's player. Where the bot is in no voice channel, there is none: 404."""
    found = reads.player(int(guild_id))
    if found is None:
        raise Refused(404, f"the bot is in no voice channel of guild {guild_id}", "guildId")
    return PlayerActivity.model_validate(found)


@router.put("/guilds/{guildId}/player", responses=documented(404, 409, 422))
def report_player(
    guild_id: Annotated[Snowflake, Path(alias="guildId")], told: ReportedPlayer, changes: Changes
) -> Player:
    """Report a player's state. Where the bot is in no voice channel, there is none: 409."""
    changes.report(int(guild_id), PlayerState[told.state.upper()])
    return Player.model_validate({"guildId": guild_id, "state": told.state})
