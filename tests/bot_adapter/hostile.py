"""Payloads as Discord never sends them."""

import copy
import json

from tests.bot_adapter.discord_payloads import (
    CHANNEL,
    GUILD,
    channel,
    external_event,
    guild_create,
    member_event,
    scheduled_event,
    voice_update,
)

SAMPLES = {
    "VOICE_STATE_UPDATE": voice_update(),
    "GUILD_CREATE": guild_create(),
    "GUILD_UPDATE": {"id": str(GUILD), "name": "Port", "afk_channel_id": str(CHANNEL)},
    "GUILD_DELETE": {"id": str(GUILD), "unavailable": True},
    "CHANNEL_CREATE": channel(),
    "CHANNEL_UPDATE": channel(),
    "CHANNEL_DELETE": channel(),
    "GUILD_MEMBER_REMOVE": member_event(),
    "GUILD_MEMBER_UPDATE": member_event(),
    "GUILD_SCHEDULED_EVENT_CREATE": external_event(),
    "GUILD_SCHEDULED_EVENT_UPDATE": scheduled_event(scheduled_end_time="2023-11-15T00:30:00.5+01:00"),
    "GUILD_SCHEDULED_EVENT_DELETE": scheduled_event(),
}
STRANGE = [
    *(None, True, 0, -1, 2**63, 2**64, 10**30, 1.5, 1e308, float("nan"), float("inf")),
    *("2023-11-14", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "\u0662023-11-14T23:00:00Z"),
    *("", "0", "-1", "x", "1e9", "\uff11", "\ud800", "\x00", "9" * 50, str(2**64)),
    *([], {}, [[]], {"id": None}, ["1"], [None], {"user": {}}, [{}] * 3),
]


def mutate(payload, rng):
    """Change one place somewhere inside: another value, a missing key, a doubled or shuffled list."""
    payload = copy.deepcopy(payload)
    place = payload
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return payload
        key = rng.choice(keys)
        if not isinstance(place[key], (dict, list)) or rng.random() < 0.3:
            break
        place = place[key]
    if rng.random() < 0.2:
        del place[key]
    else:
        place[key] = rng.choice(STRANGE)
    return payload


def encode(payload, rng):
    """Write the JSON, sometimes torn or with a byte changed."""
    data = bytearray(json.dumps(payload, ensure_ascii=rng.random() < 0.9).encode(errors="surrogatepass"))
    if rng.random() < 0.2:
        data = data[: rng.randrange(len(data) + 1)]
    if data and rng.random() < 0.2:
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)
