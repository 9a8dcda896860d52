"""Raw payloads to inputs: what each means, and that nothing else ever comes of them."""

import copy
import json
import random

import pytest

from bot_adapter.payloads import Malformed
from bot_adapter.translate import TRANSLATORS, Context, Translation, guilds_known, translate
from engine.domain.inputs import (
    Channel,
    ChannelChanged,
    ChannelCreated,
    ChannelDeleted,
    GuildChanged,
    GuildLost,
    GuildsKnown,
    GuildSnapshot,
    GuildUnavailable,
    MemberRemoved,
    RolesChanged,
    VoiceFlags,
    VoiceState,
    VoiceStateChanged,
)

AT = 1_700_000_000_000
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
    } | more


def member_event(**more):
    return {"guild_id": str(GUILD), "user": user(), "roles": [str(ROLE)]} | more


def without(payload, key):
    return {k: v for k, v in payload.items() if k != key}


def inputs(event, payload, context=CONTEXT):
    return translate(event, json.dumps(payload).encode(), context).inputs


def test_a_join_says_everything():
    assert inputs("VOICE_STATE_UPDATE", voice_update()) == (
        VoiceStateChanged(AT, GUILD, USER, CHANNEL, 0, "abc", False, (ROLE,), AT - 500),
    )


def test_a_leave_has_no_channel():
    (left,) = inputs("VOICE_STATE_UPDATE", voice_update(channel_id=None))
    assert left.channel_id is None


@pytest.mark.parametrize(
    ("field", "flag"),
    [
        ("self_deaf", VoiceFlags.SELF_DEAF),
        ("deaf", VoiceFlags.DEAF),
        ("self_mute", VoiceFlags.SELF_MUTE),
        ("mute", VoiceFlags.MUTE),
        ("suppress", VoiceFlags.SUPPRESS),
    ],
)
def test_each_flag_has_its_bit(field, flag):
    (changed,) = inputs("VOICE_STATE_UPDATE", voice_update(**{field: True}))
    assert changed.flags == flag


def test_video_and_streaming_are_no_flags():
    (changed,) = inputs("VOICE_STATE_UPDATE", voice_update(self_video=True, self_stream=True))
    assert changed.flags == 0


def test_a_bot_is_known_by_its_user():
    (changed,) = inputs("VOICE_STATE_UPDATE", voice_update(member=member(user=user(bot=True))))
    assert changed.bot


@pytest.mark.parametrize("payload", [voice_update(member=None), without(voice_update(), "member")])
def test_without_a_member_nothing_is_made_up(payload):
    (changed,) = inputs("VOICE_STATE_UPDATE", payload)
    assert (changed.bot, changed.roles) == (False, ())


def test_a_snapshot_takes_voice_channels_and_states_with_their_members():
    (snapshot,) = inputs("GUILD_CREATE", guild_create(members=[member(user=user(bot=True))]))
    assert snapshot == GuildSnapshot(
        AT,
        GUILD,
        "life/0/1",
        (VoiceState(USER, CHANNEL, 0, "abc", True, (ROLE,)),),
        (Channel(CHANNEL, "Pier", 2), Channel(6, "", 13)),
        "Harbour",
        None,
        7,
    )


def test_a_snapshot_prefers_the_member_inside_the_voice_state():
    inner = member(roles=["9"])
    (snapshot,) = inputs("GUILD_CREATE", guild_create(voice_states=[voice_state(member=inner)]))
    assert snapshot.voice_states[0].roles == (9,)


@pytest.mark.parametrize("absent", ["voice_states", "channels", "members", "name", "afk_channel_id"])
@pytest.mark.parametrize("null", [True, False])
def test_a_snapshot_stands_without_its_optional_parts(absent, null):
    payload = guild_create(**{absent: None}) if null else without(guild_create(), absent)
    assert len(inputs("GUILD_CREATE", payload)) == 1


def test_one_malformed_voice_state_does_not_spoil_the_others():
    bad = without(voice_state(user_id="3"), "channel_id")
    translation = translate(
        "GUILD_CREATE", json.dumps(guild_create(voice_states=[bad, voice_state()])).encode(), CONTEXT
    )
    assert [it.user_id for it in translation.inputs[0].voice_states] == [USER]
    (left_out,) = translation.left_out
    assert (left_out.event, left_out.field) == ("GUILD_CREATE", "voice_states[0].channel_id")


def test_an_unavailable_guild_is_no_snapshot():
    assert translate("GUILD_CREATE", b'{"id":"1","unavailable":true}', CONTEXT) == Translation()


def test_guilds_change_and_go():
    changed = {"id": str(GUILD), "name": "Port", "afk_channel_id": str(CHANNEL)}
    assert inputs("GUILD_UPDATE", changed) == (GuildChanged(AT, GUILD, "Port", CHANNEL),)
    assert inputs("GUILD_DELETE", {"id": str(GUILD), "unavailable": True}) == (
        GuildUnavailable(AT, GUILD, AT - 500),
    )
    assert inputs("GUILD_DELETE", {"id": str(GUILD)}) == (GuildLost(AT, GUILD, AT - 500, "life/0/1"),)


@pytest.mark.parametrize(
    ("of_shards", "shard"), [({}, (0, 1)), ({"shard": [1, 4]}, (1, 4))], ids=["plain", "sharded"]
)
def test_a_ready_tells_all_guilds_of_its_shard(of_shards, shard):
    ready = {"v": 10, "user": user(), "guilds": [{"id": str(GUILD), "unavailable": True}, {"id": "5"}]}
    known = guilds_known(json.dumps(ready | of_shards), AT, "life/0/1")
    assert known == GuildsKnown(AT, "life/0/1", *shard, (GUILD, 5))


@pytest.mark.parametrize(
    "ready",
    [
        {},
        {"guilds": None},
        {"guilds": [{"id": str(GUILD)}, {"unavailable": True}]},
        {"guilds": [], "shard": [0, 0]},
        {"guilds": [], "shard": [0]},
    ],
)
def test_a_ready_with_anything_amiss_tells_of_no_guild(ready):
    """A guild left out of the list would count as lost."""
    with pytest.raises(Malformed, match=r"^READY: "):
        guilds_known(json.dumps(ready), AT, "life/0/1")


def test_voice_and_stage_channels_come_change_and_go():
    stage = channel(type=13)
    assert inputs("CHANNEL_CREATE", channel()) == (
        ChannelCreated(AT, GUILD, CHANNEL, "Pier", 2, replayed_from=AT - 500),
    )
    assert inputs("CHANNEL_UPDATE", stage) == (ChannelChanged(AT, GUILD, CHANNEL, "Pier", 13),)
    assert inputs("CHANNEL_DELETE", stage) == (ChannelDeleted(AT, GUILD, CHANNEL, replayed_from=AT - 500),)


@pytest.mark.parametrize("event", ["CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE"])
@pytest.mark.parametrize("kind", [0, 1, 4, 11, 12, 15, 99])
def test_other_kinds_of_channel_do_not_count(event, kind):
    assert inputs(event, without(channel(type=kind), "guild_id")) == ()


def test_members_go_and_change_their_roles():
    assert inputs("GUILD_MEMBER_REMOVE", without(member_event(), "roles")) == (
        MemberRemoved(AT, GUILD, USER, replayed_from=AT - 500),
    )
    assert inputs("GUILD_MEMBER_UPDATE", member_event()) == (RolesChanged(AT, GUILD, USER, (ROLE,)),)


def test_events_that_do_not_matter_are_not_even_read():
    assert translate("TYPING_START", b"not json", CONTEXT) == Translation()


@pytest.mark.parametrize(
    ("event", "payload", "field"),
    [
        ("VOICE_STATE_UPDATE", without(voice_update(), "channel_id"), "channel_id"),
        ("VOICE_STATE_UPDATE", without(voice_update(), "guild_id"), "guild_id"),
        ("VOICE_STATE_UPDATE", voice_update(user_id="twelve"), "user_id"),
        ("VOICE_STATE_UPDATE", voice_update(user_id="0"), "user_id"),
        ("VOICE_STATE_UPDATE", voice_update(user_id=str(2**63)), "user_id"),
        ("VOICE_STATE_UPDATE", voice_update(user_id="-5"), "user_id"),
        ("VOICE_STATE_UPDATE", voice_update(self_deaf=[]), "self_deaf"),
        ("VOICE_STATE_UPDATE", voice_update(member=member(roles=["x"])), "member.roles[0]"),
        ("VOICE_STATE_UPDATE", voice_update(member=member(user={})), "member.user.id"),
        ("VOICE_STATE_UPDATE", [], "payload"),
        ("CHANNEL_CREATE", without(channel(), "guild_id"), "guild_id"),
        ("CHANNEL_DELETE", channel(type="voice"), "type"),
        ("GUILD_CREATE", guild_create(voice_states={}), "voice_states"),
        ("GUILD_DELETE", {}, "id"),
        ("GUILD_MEMBER_UPDATE", member_event(roles=None), "roles"),
        ("GUILD_MEMBER_REMOVE", {"guild_id": "1"}, "user"),
    ],
)
def test_a_malformed_payload_names_event_and_field(event, payload, field):
    with pytest.raises(Malformed) as caught:
        inputs(event, payload)
    assert (caught.value.event, caught.value.field) == (event, field)
    assert str(caught.value).startswith(f"{event}: {field}: ")


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
}
STRANGE = [
    *(None, True, 0, -1, 2**63, 2**64, 10**30, 1.5, 1e308, float("nan"), float("inf")),
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
