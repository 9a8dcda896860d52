"""What the gateway says, as the engine's inputs: a pure function of the raw payload.

The raw payload is read, never py-cord's objects: those are live and show the last state, not this one.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from msgspec import Raw, Struct

from bot_adapter.payloads import (
    STAGE_CHANNEL,
    VOICE_CHANNEL,
    GuildChannel,
    GuildCreate,
    GuildUpdate,
    Malformed,
    Member,
    MemberEvent,
    Reader,
    Ready,
    UnavailableGuild,
    VoiceFlagFields,
    VoiceStatePayload,
    VoiceStateUpdate,
)
from engine.domain.inputs import (
    Channel,
    ChannelChanged,
    ChannelCreated,
    ChannelDeleted,
    GuildChanged,
    GuildInput,
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


class Context(Struct, frozen=True, gc=False):
    """What a payload does not say itself. ``replayed_from``: see ``inputs.VoiceStateChanged``."""

    at: int
    connection: str = ""
    own_user_id: int | None = None
    replayed_from: int | None = None


class Translation(NamedTuple):
    """The inputs, and the items inside a payload that had to be left out of them."""

    inputs: tuple[GuildInput, ...] = ()
    left_out: tuple[Malformed, ...] = ()


NOTHING = Translation()
Payload = bytes | Raw | str


def translate(event: str, data: Payload, context: Context) -> Translation:
    """Translate the JSON ``data`` of one dispatched event; of events we do not use comes nothing.

    Raises ``Malformed`` where the payload is not what Discord documents.
    """
    translator = TRANSLATORS.get(event)
    return NOTHING if translator is None else translator(event, data, context)


_VOICE_STATE_UPDATE = Reader(VoiceStateUpdate)
_VOICE_STATE = Reader(VoiceStatePayload)
_GUILD_CREATE = Reader(GuildCreate)
_GUILD_UPDATE = Reader(GuildUpdate)
_GUILD_DELETE = Reader(UnavailableGuild)
_READY = Reader(Ready)
_CHANNEL = Reader(GuildChannel)
_MEMBER = Reader(Member)
_MEMBER_EVENT = Reader(MemberEvent)


def voice_state_changed(data: Payload, at: int, replayed_from: int | None) -> VoiceStateChanged:
    """Translate a VOICE_STATE_UPDATE. Apart from the others, because nearly every frame is one."""
    it = _VOICE_STATE_UPDATE.read("VOICE_STATE_UPDATE", data)
    bot, roles = _bot_and_roles(it.member)
    return VoiceStateChanged(
        at, it.guild_id, it.user_id, it.channel_id, _flags(it), it.session_id, bot, roles, replayed_from
    )


def guilds_known(data: Payload, at: int, connection: str) -> GuildsKnown:
    """Translate a READY. Apart from the others, because its connection has a name only once it is taken."""
    ready = _READY.read("READY", data)
    return GuildsKnown(at, connection, *ready.shard, tuple(guild.id for guild in ready.guilds))


def _voice_state_update(_: str, data: Payload, context: Context) -> Translation:
    return Translation((voice_state_changed(data, context.at, context.replayed_from),))


def _guild_create(event: str, data: Payload, context: Context) -> Translation:
    guild = _GUILD_CREATE.read(event, data)
    if guild.unavailable:
        return NOTHING  # still out: the GUILD_CREATE that tells something comes when it is back
    left_out: list[Malformed] = []
    members = {
        member.user.id: member
        for member in _items(_MEMBER, event, "members", guild.members, left_out)
        if member.user is not None
    }
    snapshot = GuildSnapshot(
        context.at,
        guild.id,
        context.connection,
        tuple(_voice_states(event, guild, members, left_out)),
        tuple(_channels(event, guild, left_out)),
        guild.name or "",
        guild.afk_channel_id,
        context.own_user_id,
    )
    return Translation((snapshot,), tuple(left_out))


def _guild_update(event: str, data: Payload, context: Context) -> Translation:
    guild = _GUILD_UPDATE.read(event, data)
    return Translation((GuildChanged(context.at, guild.id, guild.name or "", guild.afk_channel_id),))


def _guild_delete(event: str, data: Payload, context: Context) -> Translation:
    guild = _GUILD_DELETE.read(event, data)
    if guild.unavailable:
        return Translation((GuildUnavailable(context.at, guild.id, context.replayed_from),))
    return Translation((GuildLost(context.at, guild.id, context.replayed_from, context.connection),))


def _channel_create(event: str, data: Payload, context: Context) -> Translation:
    channel = _voice_channel(event, data)
    if channel is None:
        return NOTHING
    guild_id, it = channel
    created = ChannelCreated(context.at, guild_id, it.id, it.name or "", it.type, context.replayed_from)
    return Translation((created,))


def _channel_update(event: str, data: Payload, context: Context) -> Translation:
    channel = _voice_channel(event, data)
    if channel is None:
        return NOTHING
    guild_id, it = channel
    return Translation((ChannelChanged(context.at, guild_id, it.id, it.name or "", it.type),))


def _channel_delete(event: str, data: Payload, context: Context) -> Translation:
    channel = _voice_channel(event, data)
    if channel is None:
        return NOTHING
    guild_id, it = channel
    return Translation((ChannelDeleted(context.at, guild_id, it.id, context.replayed_from),))


def _member_remove(event: str, data: Payload, context: Context) -> Translation:
    it = _MEMBER_EVENT.read(event, data)
    return Translation((MemberRemoved(context.at, it.guild_id, it.user.id, context.replayed_from),))


def _member_update(event: str, data: Payload, context: Context) -> Translation:
    it = _MEMBER_EVENT.read(event, data)
    if it.roles is None:
        raise Malformed(event, "roles", "Object missing required field `roles`")
    return Translation((RolesChanged(context.at, it.guild_id, it.user.id, it.roles),))


TRANSLATORS: dict[str, Callable[[str, Payload, Context], Translation]] = {
    "VOICE_STATE_UPDATE": _voice_state_update,
    "GUILD_CREATE": _guild_create,
    "GUILD_UPDATE": _guild_update,
    "GUILD_DELETE": _guild_delete,
    "CHANNEL_CREATE": _channel_create,
    "CHANNEL_UPDATE": _channel_update,
    "CHANNEL_DELETE": _channel_delete,
    "GUILD_MEMBER_REMOVE": _member_remove,
    "GUILD_MEMBER_UPDATE": _member_update,
}


def _flags(it: VoiceFlagFields) -> int:
    # Plain integers: the operators of IntFlag cost more than all the rest of a translation.
    return (
        (_SELF_DEAF if it.self_deaf else 0)
        | (_DEAF if it.deaf else 0)
        | (_SELF_MUTE if it.self_mute else 0)
        | (_MUTE if it.mute else 0)
        | (_SUPPRESS if it.suppress else 0)
    )


_SELF_DEAF = int(VoiceFlags.SELF_DEAF)
_DEAF = int(VoiceFlags.DEAF)
_SELF_MUTE = int(VoiceFlags.SELF_MUTE)
_MUTE = int(VoiceFlags.MUTE)
_SUPPRESS = int(VoiceFlags.SUPPRESS)


def _bot_and_roles(member: Member | None) -> tuple[bool, tuple[int, ...]]:
    if member is None:
        return False, ()
    return bool(member.user is not None and member.user.bot), member.roles or ()


def _voice_channel(event: str, data: Payload) -> tuple[int, GuildChannel] | None:
    channel = _CHANNEL.read(event, data)
    if channel.type not in (VOICE_CHANNEL, STAGE_CHANNEL):
        return None
    if channel.guild_id is None:
        raise Malformed(event, "guild_id", "Object missing required field `guild_id`")
    return channel.guild_id, channel


def _voice_states(
    event: str, guild: GuildCreate, members: dict[int, Member], left_out: list[Malformed]
) -> Iterator[VoiceState]:
    for it in _items(_VOICE_STATE, event, "voice_states", guild.voice_states, left_out):
        if it.channel_id is not None:
            bot, roles = _bot_and_roles(it.member or members.get(it.user_id))
            yield VoiceState(it.user_id, it.channel_id, _flags(it), it.session_id, bot, roles)


def _channels(event: str, guild: GuildCreate, left_out: list[Malformed]) -> Iterator[Channel]:
    for it in _items(_CHANNEL, event, "channels", guild.channels, left_out):
        if it.type in (VOICE_CHANNEL, STAGE_CHANNEL):
            yield Channel(it.id, it.name or "", it.type)


T = TypeVar("T")


def _items(
    reader: Reader[T], event: str, field: str, items: list[Raw] | None, left_out: list[Malformed]
) -> Iterator[T]:
    for index, item in enumerate(items or ()):
        try:
            yield reader.read(event, item)
        except Malformed as error:
            left_out.append(error.inside(f"{field}[{index}]"))
