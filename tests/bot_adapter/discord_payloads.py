"""Payloads as Discord documents them, and what they are read with."""

import json

from bot_adapter.translate import Context, translate

AT = 1_700_000_000_000
EVENT, STARTS_AT = 941744372132524032, 1_700_002_800_000
GUILD, CHANNEL, USER, ROLE = 81384788765712384, 127121515262115840, 80351110224678912, 41771983423143936
CONTEXT = Context(AT, connection="life/0/1", own_user_id=7, replayed_from=AT - 500)


def user(user_id=USER, **more):
    return {"id": str(user_id), "username": "ann", "discriminator": "0", "avatar": None} | more


def member(**more):
    return {"user": user(), "roles": [str(ROLE)], "nick": None, "deaf": False, "mute": False} | more


def voice_state(**more):
    flags = dict.fromkeys(("self_deaf", "deaf", "self_mute", "mute", "suppress", "self_video"), False)
    ids = {"user_id": str(USER), "channel_id": str(CHANNEL), "session_id": "abc"}
    return ids | flags | {"request_to_speak_timestamp": None} | more


def voice_update(**more):
    return voice_state(guild_id=str(GUILD), member=member()) | more


def channel(**more):
    return {"id": str(CHANNEL), "guild_id": str(GUILD), "type": 2, "name": "Pier", "bitrate": 64000} | more


def guild_create(**more):
    return {
        "id": str(GUILD),
        "name": "Harbour",
        "unavailable": False,
        "afk_channel_id": None,
        "channels": [
            channel(),
            {"id": "5", "type": 0, "name": "chat"},
            {"id": "6", "type": 13, "name": None},
        ],
        "voice_states": [voice_state()],
        "members": [member()],
        "threads": [{"id": "8", "type": 11}],
        "guild_scheduled_events": [scheduled_event()],
    } | more


def member_event(**more):
    return {"guild_id": str(GUILD), "user": user(), "roles": [str(ROLE)]} | more


def scheduled_event(**more):
    return {
        "id": str(EVENT),
        "guild_id": str(GUILD),
        "channel_id": str(CHANNEL),
        "creator_id": str(USER),
        "name": "Regatta",
        "description": None,
        "scheduled_start_time": "2023-11-14T23:00:00+00:00",
        "scheduled_end_time": None,
        "privacy_level": 2,
        "status": 1,
        "entity_type": 2,
        "entity_id": None,
        "entity_metadata": None,
        "image": None,
        "recurrence_rule": None,
    } | more


def external_event(**more):
    place = {"channel_id": None, "entity_type": 3, "entity_metadata": {"location": "the old mill"}}
    return scheduled_event(scheduled_end_time="2023-11-15T01:00:00+00:00", **place) | more


def without(payload, key):
    return {k: v for k, v in payload.items() if k != key}


def inputs(event, payload, context=CONTEXT):
    return translate(event, json.dumps(payload).encode(), context).inputs
