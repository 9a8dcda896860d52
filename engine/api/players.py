"""``PUT /guilds/{guildId}/player``: whoever makes the bot play tells what it does."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path

from engine.api.errors import documented
from engine.api.providers import Changes
from engine.api.schemas import Snowflake, Wire
from engine.domain.tracking import PlayerState

router = APIRouter(tags=["players"])


class ReportedPlayer(Wire):
    """What the player does."""

    state: Literal["playing", "paused", "idle"]


class Player(ReportedPlayer):
    """A guild's player: the bot's own voice there."""

    guild_id: Snowflake


@router.put("/guilds/{guildId}/player", responses=documented(409, 422))
def report_player(
    guild_id: Annotated[Snowflake, Path(alias="guildId")], told: ReportedPlayer, changes: Changes
) -> Player:
    """Report a player's state. Where the bot is in no voice channel, there is none: 409."""
    changes.report(int(guild_id), PlayerState[told.state.upper()])
    return Player.model_validate({"guildId": guild_id, "state": told.state})
