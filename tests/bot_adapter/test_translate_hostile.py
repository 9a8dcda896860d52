"""Whatever a payload looks like: it gives inputs or nothing, or it is malformed."""

import copy
import json
import random

import pytest

from bot_adapter.payloads import Malformed
from bot_adapter.translate import TRANSLATORS, translate
from tests.bot_adapter.discord_payloads import (
    CHANNEL,
    CONTEXT,
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


def outcome(event, data):
    try:
        translation = translate(event, data, CONTEXT)
    except Malformed:
        return "malformed"
    return "inputs" if translation.inputs else "nothing"


def test_of_ten_thousand_mutated_payloads_each_gives_inputs_or_is_malformed():
    rng = random.Random(20150101)
    assert SAMPLES.keys() == TRANSLATORS.keys()
    outcomes = {"inputs": 0, "nothing": 0, "malformed": 0}
    for _ in range(10_000):
        event, payload = rng.choice(list(SAMPLES.items()))
        for _ in range(rng.randrange(1, 4)):
            payload = mutate(payload, rng)
        outcomes[outcome(event, encode(payload, rng))] += 1
    assert all(count > 100 for count in outcomes.values()), outcomes


@pytest.mark.parametrize("event", SAMPLES)
@pytest.mark.parametrize("text", ["[" * 100_000, '{"member":' * 100_000, "", "\xff", "null", '{"id":"1"'])
def test_a_hostile_text_is_malformed(event, text):
    with pytest.raises(Malformed):
        translate(event, text.encode("latin-1"), CONTEXT)
