"""``/guilds``, ``/channels``, ``/users``: what there is to ask about, and how much there was of it."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from engine.api.attendance_schemas import (
    Channel,
    ChannelPage,
    ChannelStats,
    Guild,
    GuildPage,
    GuildStats,
    UserStats,
    UserStatsQuery,
)
from engine.api.errors import Refused, documented
from engine.api.providers import LedgerReads
from engine.api.schemas import Snowflake

router = APIRouter(tags=["places"])


@router.get("/guilds")
def guilds(reads: LedgerReads) -> GuildPage:
    """List the guilds that the bot is in."""
    return GuildPage(items=[Guild.model_validate(it) for it in reads.guilds()])


@router.get("/guilds/{guildId}/channels", responses=documented(404, 422))
def guild_channels(guild_id: Annotated[Snowflake, Path(alias="guildId")], reads: LedgerReads) -> ChannelPage:
    """List a guild's voice and stage channels."""
    if all(int(it["guildId"]) != int(guild_id) for it in reads.guilds()):
        raise Refused(404, f"the bot is in no guild of the id {guild_id}", "guildId")
    return ChannelPage(items=[Channel.model_validate(it) for it in reads.channels(int(guild_id))])


@router.get("/guilds/{guildId}/stats", responses=documented(404, 422))
def guild_stats(guild_id: Annotated[Snowflake, Path(alias="guildId")], reads: LedgerReads) -> GuildStats:
    """Show how much there was in a guild: members, voice sessions, events."""
    found = reads.guild_stats(int(guild_id))
    if found is None:
        raise Refused(404, f"no guild has the id {guild_id}", "guildId")
    return GuildStats.model_validate(found)


@router.get("/channels/{channelId}/stats", responses=documented(404, 422))
def channel_stats(
    channel_id: Annotated[Snowflake, Path(alias="channelId")], reads: LedgerReads
) -> ChannelStats:
    """Show how much there was in a channel, and in the events held in it."""
    found = reads.channel_stats(int(channel_id))
    if found is None:
        raise Refused(404, f"no channel has the id {channel_id}", "channelId")
    return ChannelStats.model_validate(found)


@router.get("/users/{userId}/stats", responses=documented(422))
def user_stats(
    user_id: Annotated[Snowflake, Path(alias="userId")],
    wanted: Annotated[UserStatsQuery, Query()],
    reads: LedgerReads,
) -> UserStats:
    """Show what a user attended and how long they were in voice channels; of a stranger, nothing."""
    guild_id = None if wanted.guild_id is None else int(wanted.guild_id)
    return UserStats.model_validate(reads.user_stats(int(user_id), guild_id))
