"""Discord's JSON shapes (https://docs.discord.com/developers/resources), made from the world's entities."""

from datetime import UTC, datetime
from typing import Any

from bot_adapter.simulator.entities import (
    Channel,
    ChannelType,
    Guild,
    Member,
    Role,
    ScheduledEvent,
    User,
    VoicePresence,
)

Json = dict[str, Any]

_EVERYONE_PERMISSIONS = "2248473465835073"


def iso(at: int) -> str:
    """Write a moment (ms UTC) as Discord does: ``2021-03-04T05:06:07.089000+00:00``."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="microseconds")


def user(it: User) -> Json:
    return {
        "id": str(it.user_id),
        "username": it.username,
        "global_name": None if it.bot else it.username.title(),
        "discriminator": f"{it.user_id % 9999 + 1:04}" if it.bot else "0",
        "avatar": None,
        "avatar_decoration_data": None,
        "collectibles": None,
        "primary_guild": None,
        "public_flags": 0,
        "bot": it.bot,
    }


def own_user(it: User) -> Json:
    return user(it) | {"mfa_enabled": False, "verified": True, "email": None, "flags": 0, "locale": "en-US"}


def member(it: Member) -> Json:
    return {
        "user": user(it.user),
        "nick": it.nick,
        "avatar": None,
        "banner": None,
        "roles": [str(role_id) for role_id in it.roles],
        "joined_at": iso(it.joined_at),
        "premium_since": None,
        "deaf": it.deaf,
        "mute": it.mute,
        "flags": 0,
        "pending": False,
        "communication_disabled_until": None,
    }


def voice_state(presence: VoicePresence, it: Member, *, left: bool = False) -> Json:
    """Return a voice state without its guild and member: as it stands inside GUILD_CREATE."""
    payload = {
        "channel_id": None if left else str(presence.channel_id),
        "user_id": str(presence.user_id),
        "session_id": presence.gateway_session_id,
        "deaf": it.deaf,
        "mute": it.mute,
        "self_deaf": presence.self_deaf,
        "self_mute": presence.self_mute,
        "self_video": presence.self_video,
        "suppress": presence.suppress,
        "request_to_speak_timestamp": None,
    }
    # Discord leaves this key out unless it is true.
    return payload | {"self_stream": True} if presence.self_stream else payload


def voice_state_update(guild_id: int, presence: VoicePresence, it: Member, *, left: bool = False) -> Json:
    state = voice_state(presence, it, left=left)
    return {"member": member(it), "guild_id": str(guild_id)} | state


def role(it: Role) -> Json:
    return {
        "id": str(it.role_id),
        "name": it.name,
        "color": 0,
        "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
        "hoist": False,
        "icon": None,
        "unicode_emoji": None,
        "position": it.position,
        "permissions": _EVERYONE_PERMISSIONS,
        "managed": it.managed,
        "mentionable": False,
        "flags": 0,
    }


def channel(it: Channel) -> Json:
    """Return a channel as inside GUILD_CREATE: without its guild's id."""
    payload: Json = {
        "id": str(it.channel_id),
        "type": int(it.kind),
        "name": it.name,
        "position": it.position,
        "parent_id": str(it.parent_id) if it.parent_id else None,
        "permission_overwrites": [],
        "flags": 0,
    }
    if it.kind is ChannelType.TEXT:
        payload |= {"topic": None, "nsfw": False, "rate_limit_per_user": 0, "last_message_id": None}
    if it.kind.has_voice:
        payload |= {"bitrate": 64000, "user_limit": 0, "rtc_region": None, "nsfw": False}
        payload |= {"rate_limit_per_user": 0, "last_message_id": None}
    return payload


def guild_channel(it: Channel) -> Json:
    return channel(it) | {"guild_id": str(it.guild_id)}


def scheduled_event(it: ScheduledEvent) -> Json:
    """Return an event as the gateway tells of it: without its creator's user and the number of interested."""
    return {
        "id": str(it.event_id),
        "guild_id": str(it.guild_id),
        "channel_id": str(it.channel_id) if it.channel_id else None,
        "creator_id": str(it.creator_id),
        "name": it.name,
        "description": it.description,
        "image": None,
        "scheduled_start_time": iso(it.starts_at),
        "scheduled_end_time": None if it.ends_at is None else iso(it.ends_at),
        "privacy_level": 2,
        "status": int(it.status),
        "entity_type": int(it.entity_type),
        "entity_id": None,
        "entity_metadata": None if it.location is None else {"location": it.location},
        "recurrence_rule": None,
    }


def guild(it: Guild) -> Json:
    """Return the guild object itself, as in GUILD_UPDATE and GET /guilds/{id}."""
    return {
        "id": str(it.guild_id),
        "name": it.name,
        "owner_id": str(it.owner_id),
        "roles": [role(each) for each in it.roles.values()],
        "afk_channel_id": str(it.afk_channel_id) if it.afk_channel_id else None,
        "preferred_locale": "en-US",
        "max_members": 500000,
        "max_video_channel_users": 25,
        "max_stage_video_channel_users": 50,
        **dict.fromkeys(_EMPTY_LISTS, ()),
        **dict.fromkeys(_NULLS),
        **_NUMBERS,
    }


_EMPTY_LISTS = ("emojis", "stickers", "features")
_NULLS = (
    *("icon", "splash", "discovery_splash", "banner", "description", "vanity_url_code", "home_header"),
    *("application_id", "system_channel_id", "rules_channel_id", "public_updates_channel_id"),
    *("safety_alerts_channel_id", "incidents_data", "max_presences"),
)
_NUMBERS = {
    "afk_timeout": 300,
    "verification_level": 1,
    "default_message_notifications": 0,
    "explicit_content_filter": 0,
    "mfa_level": 0,
    "system_channel_flags": 0,
    "premium_tier": 0,
    "premium_subscription_count": 0,
    "premium_progress_bar_enabled": False,
    "nsfw_level": 0,
    "nsfw": False,
}


def guild_create(
    it: Guild, *, member_ids: set[int], voice_states: bool = True, scheduled_events: bool = True
) -> Json:
    """Return a GUILD_CREATE. What is in it besides the guild depends on the client's intents."""
    voice = it.voice.values() if voice_states else ()
    events = it.scheduled_events.values() if scheduled_events else ()
    members = [member(each) for user_id, each in it.members.items() if user_id in member_ids]
    return guild(it) | {
        "joined_at": iso(it.created_at),
        "large": len(it.members) > 250,
        "unavailable": False,
        "member_count": len(it.members),
        "voice_states": [voice_state(each, it.members[each.user_id]) for each in voice],
        "members": members,
        "channels": [channel(each) for each in it.channels.values()],
        "threads": [],
        "presences": [],
        "stage_instances": [],
        "guild_scheduled_events": [scheduled_event(each) for each in events],
        "soundboard_sounds": [],
    }
