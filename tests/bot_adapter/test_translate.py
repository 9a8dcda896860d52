"""Raw payloads to inputs: what each means."""

import json

import pytest

from bot_adapter.payloads import Malformed
from bot_adapter.translate import Translation, guilds_known, translate
from engine.domain.event_inputs import ScheduledEvent
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
from tests.bot_adapter.discord_payloads import (
    AT,
    CHANNEL,
    CONTEXT,
    EVENT,
    GUILD,
    ROLE,
    STARTS_AT,
    USER,
    channel,
    guild_create,
    inputs,
    member,
    member_event,
    user,
    voice_state,
    voice_update,
    without,
)


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


@pytest.mark.parametrize(
    "payload",
    [
        voice_update(member=None),
        without(voice_update(), "member"),
        voice_update(member=member(roles=None)),
        voice_update(member=without(member(), "roles")),
    ],
)
def test_of_a_member_who_is_not_told_nothing_is_made_up(payload):
    (changed,) = inputs("VOICE_STATE_UPDATE", payload)
    assert (changed.bot, changed.roles) == (False, None)


def test_a_member_without_a_role_is_told():
    (changed,) = inputs("VOICE_STATE_UPDATE", voice_update(member=member(roles=[])))
    assert changed.roles == ()


def test_roles_come_in_order_wherever_they_are_told():
    crew = member(roles=["30", "9", "200"])
    (changed,) = inputs("VOICE_STATE_UPDATE", voice_update(member=crew))
    (updated,) = inputs("GUILD_MEMBER_UPDATE", member_event(roles=["30", "9", "200"]))
    (snapshot,) = inputs("GUILD_CREATE", guild_create(members=[crew]))
    assert changed.roles == updated.roles == snapshot.voice_states[0].roles == (9, 30, 200)


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
        (ScheduledEvent(EVENT, CHANNEL, "Regatta", 1, STARTS_AT),),
    )


@pytest.mark.parametrize("members", [[], None, [member(roles=None)], [member(user=user(3))]])
def test_a_snapshot_without_a_users_member_tells_no_roles_of_theirs(members):
    (snapshot,) = inputs("GUILD_CREATE", guild_create(members=members))
    assert snapshot.voice_states[0].roles is None


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
    assert inputs("GUILD_MEMBER_UPDATE", member_event()) == (
        RolesChanged(AT, GUILD, USER, (ROLE,), replayed_from=AT - 500),
    )


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
