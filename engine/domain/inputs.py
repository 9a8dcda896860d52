"""What can happen: the facts that enter by the journal, and nothing else changes state.

Each input is a frozen struct, encoded as a msgpack array whose first item is its tag. Fields may be added at
the end of a struct, with a default, and tags are never used twice: journals outlive versions.
"""

from enum import IntFlag
from typing import TypeAlias

from msgspec import Struct

from engine.domain.event_inputs import EventInput, ScheduledEvent
from engine.domain.retrial_inputs import RetrialInput
from engine.domain.tracker_inputs import (
    ExpiryDecided,
    PlayerReported,
    ScopeCommitted,
    SubjectOverridden,
    TimePassed,
    TrackersKnown,
)


class VoiceFlags(IntFlag):
    """What cuts a session into spans (Discord, "Voice State Structure"), and two marks of our own."""

    SELF_DEAF = 1
    DEAF = 2
    SELF_MUTE = 4
    MUTE = 8
    SUPPRESS = 16
    BRIDGED = 32  # not Discord's: the gateway was away, and the same presence stood at both ends
    BOT = 64  # not Discord's either: the session is a bot's, tracked as configured; never changes in one


class VoiceState(Struct, frozen=True, array_like=True, gc=False):
    """One member's voice state inside a snapshot."""

    user_id: int
    channel_id: int
    flags: int = 0
    gateway_session_id: str | None = None
    bot: bool = False
    roles: tuple[int, ...] | None = ()


class Channel(Struct, frozen=True, array_like=True, gc=False):
    """A voice or stage channel inside a snapshot. ``kind`` is Discord's channel type (2 voice, 13 stage)."""

    channel_id: int
    name: str = ""
    kind: int = 2


class ShardBeat(Struct, frozen=True, array_like=True, gc=False):
    """How one shard's gateway connection does.

    ``connection`` names one gateway session, from its IDENTIFY on through all its RESUMEs. ``alive_at`` is
    the last moment up to which nothing can have been missed on it: the beat's own ``at`` while connected, the
    moment of the loss afterwards.
    """

    shard_id: int
    connection: str
    connected: bool
    alive_at: int


class VoiceStateChanged(Struct, frozen=True, array_like=True, tag=1, gc=False):
    """A VOICE_STATE_UPDATE. ``channel_id`` is None for a leave.

    ``roles`` are in order of their ids; None where the payload told nothing of the member.
    ``replayed_from`` is set on what a RESUME replays: the moment the connection was lost, so that the truth
    lies in ``[replayed_from, at]``.
    """

    at: int
    guild_id: int
    user_id: int
    channel_id: int | None
    flags: int = 0
    gateway_session_id: str | None = None
    bot: bool = False
    roles: tuple[int, ...] | None = ()
    replayed_from: int | None = None


class GuildSnapshot(Struct, frozen=True, array_like=True, tag=2, gc=False):
    """A GUILD_CREATE: everything there is to know of a guild's voice at one moment."""

    at: int
    guild_id: int
    connection: str
    voice_states: tuple[VoiceState, ...] = ()
    channels: tuple[Channel, ...] = ()
    name: str = ""
    afk_channel_id: int | None = None
    own_user_id: int | None = None
    scheduled_events: tuple[ScheduledEvent, ...] | None = None  # None: not told


class GuildChanged(Struct, frozen=True, array_like=True, tag=3, gc=False):
    """A GUILD_UPDATE: its name or its AFK channel."""

    at: int
    guild_id: int
    name: str = ""
    afk_channel_id: int | None = None


class ChannelCreated(Struct, frozen=True, array_like=True, tag=4, gc=False):
    """A CHANNEL_CREATE of a voice or stage channel."""

    at: int
    guild_id: int
    channel_id: int
    name: str = ""
    kind: int = 2
    replayed_from: int | None = None


class ChannelChanged(Struct, frozen=True, array_like=True, tag=5, gc=False):
    """A CHANNEL_UPDATE of a voice or stage channel."""

    at: int
    guild_id: int
    channel_id: int
    name: str = ""
    kind: int = 2


class ChannelDeleted(Struct, frozen=True, array_like=True, tag=6, gc=False):
    """A CHANNEL_DELETE: whoever was inside is out, though Discord may send no voice update for it."""

    at: int
    guild_id: int
    channel_id: int
    replayed_from: int | None = None


class MemberRemoved(Struct, frozen=True, array_like=True, tag=7, gc=False):
    """A GUILD_MEMBER_REMOVE: left, kicked or banned."""

    at: int
    guild_id: int
    user_id: int
    replayed_from: int | None = None


class RolesChanged(Struct, frozen=True, array_like=True, tag=8, gc=False):
    """A GUILD_MEMBER_UPDATE's roles (needs the members intent)."""

    at: int
    guild_id: int
    user_id: int
    roles: tuple[int, ...] = ()
    replayed_from: int | None = None


class GuildUnavailable(Struct, frozen=True, array_like=True, tag=9, gc=False):
    """A GUILD_DELETE with ``unavailable``: an outage on Discord's side, a snapshot follows."""

    at: int
    guild_id: int
    replayed_from: int | None = None


class GuildLost(Struct, frozen=True, array_like=True, tag=10, gc=False):
    """The bot was removed from the guild: a GUILD_DELETE without ``unavailable``, or ``GuildsKnown``.

    ``connection`` heard of it; None in journals of older versions.
    """

    at: int
    guild_id: int
    replayed_from: int | None = None
    connection: str | None = None


class MemberNamed(Struct, frozen=True, array_like=True, tag=29, gc=False):
    """What a member is called in a guild: told when it is first seen, and when it has changed."""

    at: int
    guild_id: int
    user_id: int
    name: str


class OutboxOutcome(Struct, frozen=True, array_like=True, tag=11, gc=False):
    """How an effect upon Discord ended, as told by the ingest that did it."""

    at: int
    guild_id: int
    outbox_id: str
    ok: bool
    detail: str = ""


class Heartbeat(Struct, frozen=True, array_like=True, tag=12, gc=False):
    """What makes time pass: one a second to every partition, with the state of each gateway connection."""

    at: int
    shards: tuple[ShardBeat, ...] = ()


class GuildsKnown(Struct, frozen=True, array_like=True, tag=13, gc=False):
    """A READY's guilds: all that the bot is in of those that ``shard_id`` of ``shard_count`` carries.

    To every partition, before the connection's first snapshot. Whatever of ours is not among them was lost
    while nobody watched.
    """

    at: int
    connection: str
    shard_id: int
    shard_count: int
    guild_ids: tuple[int, ...] = ()


class MemberForgotten(Struct, frozen=True, array_like=True, tag=22, gc=False):
    """A request to forget a person (``rollcall forget``), to every partition.

    What the journal tells of ``user_id`` up to ``at`` has no effect from then on, however often it is read.
    """

    at: int
    user_id: int
    request_id: str = ""


GuildInput: TypeAlias = (
    VoiceStateChanged
    | GuildSnapshot
    | GuildChanged
    | ChannelCreated
    | ChannelChanged
    | ChannelDeleted
    | MemberRemoved
    | RolesChanged
    | GuildUnavailable
    | GuildLost
    | OutboxOutcome
    | MemberNamed
    | SubjectOverridden
    | ExpiryDecided
    | PlayerReported
    | TimePassed
)
# All that a guild's step takes: of what is for all partitions or guilds, its own part.
ToGuild: TypeAlias = GuildInput | ScopeCommitted | TrackersKnown
Input: TypeAlias = (
    GuildInput
    | EventInput
    | Heartbeat
    | GuildsKnown
    | MemberForgotten
    | ScopeCommitted
    | TrackersKnown
    | RetrialInput
)


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """One journal entry. ``source`` is one life of one writer, ``seq`` counts up by one within it.

    An entry whose ``seq`` is not above the last one taken of its source was appended twice, and is dropped.
    """

    source: str
    seq: int
    input: Input
