"""What the world is made of. These change in place: only `World` may change them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from engine.domain.ids import DISCORD_EPOCH_MS


class ChannelType(IntEnum):
    """Discord's channel types, as far as they occur here."""

    TEXT = 0
    VOICE = 2
    CATEGORY = 4
    STAGE = 13

    @property
    def has_voice(self) -> bool:
        return self in (ChannelType.VOICE, ChannelType.STAGE)


class EntityType(IntEnum):
    """What a scheduled event takes place in. https://docs.discord.com/developers/resources/guild-scheduled-event."""

    STAGE_INSTANCE = 1
    VOICE = 2
    EXTERNAL = 3


class ScheduledStatus(IntEnum):
    """How far a scheduled event has come. Discord forgets those that are completed or canceled."""

    SCHEDULED = 1
    ACTIVE = 2
    COMPLETED = 3
    CANCELED = 4

    @property
    def finished(self) -> bool:
        return self in (ScheduledStatus.COMPLETED, ScheduledStatus.CANCELED)


@dataclass(slots=True)
class Channel:
    channel_id: int
    guild_id: int
    name: str
    kind: ChannelType
    position: int
    parent_id: int | None = None


@dataclass(slots=True)
class Role:
    """``managed`` is one that belongs to an integration: nobody may give or take it."""

    role_id: int
    name: str
    position: int
    managed: bool = False


@dataclass(frozen=True, slots=True)
class User:
    user_id: int
    username: str
    bot: bool = False


@dataclass(slots=True)
class Member:
    user: User
    joined_at: int
    roles: list[int] = field(default_factory=list)
    nick: str | None = None
    mute: bool = False
    deaf: bool = False


@dataclass(slots=True)
class VoicePresence:
    """One member's voice state while it is in a channel. Server mute and deaf are the member's own."""

    user_id: int
    channel_id: int
    gateway_session_id: str
    self_mute: bool = False
    self_deaf: bool = False
    self_video: bool = False
    self_stream: bool = False
    suppress: bool = False


@dataclass(frozen=True, slots=True)
class ScheduledEvent:
    """``channel_id`` is None for an external event, which has a ``location`` instead. Times are ms UTC."""

    event_id: int
    guild_id: int
    creator_id: int
    name: str
    starts_at: int
    ends_at: int | None
    entity_type: EntityType
    channel_id: int | None = None
    location: str | None = None
    description: str | None = None
    status: ScheduledStatus = ScheduledStatus.SCHEDULED


@dataclass(slots=True)
class Guild:
    """``finished_events`` are the ids of scheduled events that ended: Discord still knows that they were."""

    guild_id: int
    name: str
    owner_id: int
    created_at: int
    afk_channel_id: int | None = None
    available: bool = True
    bot_manages_roles: bool = True
    roles: dict[int, Role] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    voice: dict[int, VoicePresence] = field(default_factory=dict)
    scheduled_events: dict[int, ScheduledEvent] = field(default_factory=dict)
    finished_events: set[int] = field(default_factory=set)

    def present(self, channel_id: int) -> list[int]:
        """Return the users in one channel, in the order in which they came into voice."""
        return [user_id for user_id, state in self.voice.items() if state.channel_id == channel_id]

    def voice_channels(self) -> list[Channel]:
        return [channel for channel in self.channels.values() if channel.kind.has_voice]


def snowflakes(worker: int = 1) -> Iterator[int]:
    """Yield the lower 22 bits of one snowflake after another: worker, process, increment."""
    increment = 0
    while True:
        yield worker << 17 | increment & 0xFFF
        increment += 1


def snowflake(at: int, low_bits: int) -> int:
    """Return the id that Discord would make at ``at`` (ms UTC)."""
    return (at - DISCORD_EPOCH_MS) << 22 | low_bits
