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
    role_id: int
    name: str
    position: int


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


@dataclass(slots=True)
class Guild:
    guild_id: int
    name: str
    owner_id: int
    created_at: int
    afk_channel_id: int | None = None
    available: bool = True
    roles: dict[int, Role] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    voice: dict[int, VoicePresence] = field(default_factory=dict)

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
