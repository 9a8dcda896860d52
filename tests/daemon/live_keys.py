"""The live state as other programs read it: by the keys that seed 002 names, and no code of ours."""

import json
from typing import Any

from engine.storage.redis_client import connect

PARTICIPANTS, ACTIVE = "processor_/events/", "/events/active"


def keys_of(url: str) -> dict[str, Any]:
    """Return all of the seed's keys with what they hold: a participant, or active events by their ids."""
    with connect(url) as client:
        participants = {
            key.decode(): json.loads(client.get(key)) for key in client.scan_iter(f"{PARTICIPANTS}*")
        }
        active = {
            key.decode(): {it.decode(): json.loads(event) for it, event in client.hgetall(key).items()}
            for key in client.scan_iter(f"{ACTIVE}*")
        }
    return participants | active


def participant_key(event_id: str, user_id: str) -> str:
    return f"{PARTICIPANTS}{event_id}/participants/{user_id}"


def active_key(guild_id: str, channel_id: str | None = None) -> str:
    key = f"{ACTIVE}?guildId={guild_id}"
    return key if channel_id is None else f"{key}&voiceChannelId={channel_id}"
