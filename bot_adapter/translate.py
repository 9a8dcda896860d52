"""What the gateway says, as the engine's inputs: a pure function of the raw payload.

The raw payload is read, never py-cord's objects: those are live and show the last state, not this one.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from msgspec import Raw, Struct

from bot_adapter.names import display_name, named
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
    ScheduledEventDelete,
    ScheduledEventUpdate,
    UnavailableGuild,
    VoiceStatePayload,
    VoiceStateUpdate,
)
from bot_adapter.scheduled import read_scheduled_event, scheduled_event
from engine.domain.event_inputs import (
    EventInput,
    ScheduledEvent,
    ScheduledEventChanged,
    ScheduledEventGone,
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
    MemberNamed,
    MemberRemoved,
    RolesChanged,
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
    """The inputs, the items inside a payload that had to be left out, and the names it shows, news or not."""

    inputs: tuple[GuildInput | EventInput, ...] = ()
    left_out: tuple[Malformed, ...] = ()
    names: tuple[MemberNamed, ...] = ()


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
_SCHEDULED_EVENT_UPDATE = Reader(ScheduledEventUpdate)
_SCHEDULED_EVENT_DELETE = Reader(ScheduledEventDelete)


def voice_state_changed(
    data: Payload, at: int, replayed_from: int | None
) -> tuple[VoiceStateChanged, str | None]:
    """Translate a VOICE_STATE_UPDATE; with it comes the member's name, see ``display_name``.

    Apart from the others, because nearly every frame is one.
    """
    it = _VOICE_STATE_UPDATE.read("VOICE_STATE_UPDATE", data)
    bot, roles = _bot_and_roles(it.member)
    changed = VoiceStateChanged(
        at, it.guild_id, it.user_id, it.channel_id, it.flags, it.session_id, bot, roles, replayed_from
    )
    return changed, None if it.member is None else display_name(it.member, it.member.user)


def guilds_known(data: Payload, at: int, connection: str) -> GuildsKnown:
    """Translate a READY. Apart from the others, because its connection has a name only once it is taken."""
    ready = _READY.read("READY", data)
    return GuildsKnown(at, connection, *ready.shard, tuple(guild.id for guild in ready.guilds))


def _voice_state_update(_: str, data: Payload, context: Context) -> Translation:
    changed, name = voice_state_changed(data, context.at, context.replayed_from)
    return Translation((changed,), names=named(context.at, changed.guild_id, [(changed.user_id, name)]))


def _guild_create(event: str, data: Payload, context: Context) -> Translation:
    guild = _GUILD_CREATE.read(event, data)
    if guild.unavailable:
        return NOTHING  # still out: the GUILD_CREATE that tells something comes when it is back
    left_out: list[Malformed] = []
    members = {
        member.user.id: member
        for member in _items(_MEMBER.read, event, "members", guild.members, left_out)
        if member.user is not None
    }
    there = list(_voice_states(event, guild, members, left_out))
    snapshot = GuildSnapshot(
        context.at,
        guild.id,
        context.connection,
        tuple(state for state, _ in there),
        tuple(_channels(event, guild, left_out)),
        guild.name or "",
        guild.afk_channel_id,
        context.own_user_id,
        _scheduled_events(event, guild, left_out),
    )
    shown = ((state.user_id, name) for state, name in there)
    return Translation((snapshot,), tuple(left_out), named(context.at, guild.id, shown))


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
    roles = RolesChanged(context.at, it.guild_id, it.user.id, _in_order(it.roles), context.replayed_from)
    shown = [(it.user.id, display_name(it, it.user))]
    return Translation((roles,), names=named(context.at, it.guild_id, shown))


def _scheduled_event_change(event: str, data: Payload, context: Context) -> Translation:
    it = _SCHEDULED_EVENT_UPDATE.read(event, data)
    told = scheduled_event(event, it)
    if told is not None:
        return Translation((ScheduledEventChanged(context.at, it.guild_id, told, context.replayed_from),))
    if event == "GUILD_SCHEDULED_EVENT_CREATE":
        return NOTHING
    # Until now it may have been in one of the channels.
    return Translation((ScheduledEventGone(context.at, it.guild_id, it.id, context.replayed_from),))


def _scheduled_event_delete(event: str, data: Payload, context: Context) -> Translation:
    it = _SCHEDULED_EVENT_DELETE.read(event, data)
    return Translation((ScheduledEventGone(context.at, it.guild_id, it.id, context.replayed_from),))


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
    "GUILD_SCHEDULED_EVENT_CREATE": _scheduled_event_change,
    "GUILD_SCHEDULED_EVENT_UPDATE": _scheduled_event_change,
    "GUILD_SCHEDULED_EVENT_DELETE": _scheduled_event_delete,
}


def _bot_and_roles(member: Member | None) -> tuple[bool, tuple[int, ...] | None]:
    if member is None:
        return False, None
    roles = None if member.roles is None else _in_order(member.roles)
    return bool(member.user is not None and member.user.bot), roles


def _in_order(roles: tuple[int, ...]) -> tuple[int, ...]:
    """Sort, so that the same roles are equal: Discord promises no order."""
    return roles if len(roles) < 2 else tuple(sorted(roles))


def _voice_channel(event: str, data: Payload) -> tuple[int, GuildChannel] | None:
    channel = _CHANNEL.read(event, data)
    if channel.type not in (VOICE_CHANNEL, STAGE_CHANNEL):
        return None
    if channel.guild_id is None:
        raise Malformed(event, "guild_id", "Object missing required field `guild_id`")
    return channel.guild_id, channel


def _voice_states(
    event: str, guild: GuildCreate, members: dict[int, Member], left_out: list[Malformed]
) -> Iterator[tuple[VoiceState, str | None]]:
    """Yield each with its member's name."""
    for it in _items(_VOICE_STATE.read, event, "voice_states", guild.voice_states, left_out):
        if it.channel_id is not None:
            member = it.member or members.get(it.user_id)
            bot, roles = _bot_and_roles(member)
            name = None if member is None else display_name(member, member.user)
            yield VoiceState(it.user_id, it.channel_id, it.flags, it.session_id, bot, roles), name


def _channels(event: str, guild: GuildCreate, left_out: list[Malformed]) -> Iterator[Channel]:
    for it in _items(_CHANNEL.read, event, "channels", guild.channels, left_out):
        if it.type in (VOICE_CHANNEL, STAGE_CHANNEL):
            yield Channel(it.id, it.name or "", it.type)


def _scheduled_events(
    event: str, guild: GuildCreate, left_out: list[Malformed]
) -> tuple[ScheduledEvent, ...] | None:
    if guild.guild_scheduled_events is None:
        return None
    field = "guild_scheduled_events"
    before = len(left_out)
    items = list(_items(read_scheduled_event, event, field, guild.guild_scheduled_events, left_out))
    # One that cannot be read must not pass for one that is gone.
    return tuple(it for it in items if it is not None) if len(left_out) == before else None


T = TypeVar("T")


def _items(
    read: Callable[[str, Raw], T],
    event: str,
    field: str,
    items: list[Raw] | None,
    left_out: list[Malformed],
) -> Iterator[T]:
    for index, item in enumerate(items or ()):
        try:
            yield read(event, item)
        except Malformed as error:
            left_out.append(error.inside(f"{field}[{index}]"))
