"""Guilds, channels, members and roles: what stands still while people come and go."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from bot_adapter.simulator import payloads
from bot_adapter.simulator.entities import (
    Channel,
    ChannelType,
    Guild,
    Member,
    Role,
    User,
    snowflake,
    snowflakes,
)
from bot_adapter.simulator.payloads import Json

T = TypeVar("T")

_DAY_MS = 86_400_000
# When every world began, as far as old ids tell: each life of a seed is of the same guilds.
_EPOCH_MS = 1_700_000_000_000
BOT_NAME = "rollcall"


class WorldError(ValueError):
    """An action that cannot happen: an unknown id, a leave of somebody who is not there.

    ``code`` is what Discord's REST API would answer with, in a 400.
    """

    code = 50035


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One gateway event. ``data`` is None for GUILD_CREATE, whose content depends on the client's intents.

    ``user_id`` is whom the event is about: what concerns the bot itself needs fewer intents.
    """

    name: str
    guild_id: int
    data: Json | None
    user_id: int | None = None


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


class Structure:
    """The standing part of the world. ``seed`` fixes every id that is not made at the present moment.

    So the next life has the same guilds, channels and people. Their voice sessions are others: nobody stayed.

    Listeners hear each `Dispatch` at once, in order.
    """

    def __init__(self, seed: int = 1, clock: Callable[[], int] = wall_clock_ms) -> None:
        self.clock = clock
        self.guilds: dict[int, Guild] = {}
        self.listeners: list[Callable[[Dispatch], None]] = []
        self._random = random.Random(seed)  # noqa: S311 - a reproducible world, no secret
        self._low_bits = snowflakes()
        self._life = random.Random(f"{seed} {clock()}")  # noqa: S311 - as reproducible as the clock
        self._channel_guilds: dict[int, int] = {}
        self.bot = User(self.old_id(), BOT_NAME, bot=True)

    def old_id(self, min_days: float = 30, max_days: float = 1500) -> int:
        """Make the id of something created some time before this world began."""
        age_ms = int(self._random.uniform(min_days, max_days) * _DAY_MS)
        return snowflake(_EPOCH_MS - age_ms, next(self._low_bits))

    def new_id(self) -> int:
        """Make the id of something created now."""
        return snowflake(self.clock(), next(self._low_bits))

    def guild(self, guild_id: int) -> Guild:
        return _known(self.guilds, guild_id, "guild")

    def channel(self, channel_id: int) -> Channel:
        guild_id = _known(self._channel_guilds, channel_id, "channel")
        return self.guilds[guild_id].channels[channel_id]

    def member(self, guild_id: int, user_id: int) -> Member:
        return _known(self.guild(guild_id).members, user_id, "member")

    def add_guild(
        self,
        name: str,
        *,
        voice: tuple[str, ...] = ("General",),
        stage: str | None = None,
        afk: str | None = None,
    ) -> Guild:
        """Let the bot's view gain an old guild with a text channel and these voice channels."""
        guild_id = self.old_id()
        joined_at = _EPOCH_MS - 20 * _DAY_MS
        guild = Guild(guild_id, name, owner_id=self.bot.user_id, created_at=joined_at)
        guild.roles[guild_id] = Role(guild_id, "@everyone", 0)
        guild.members[self.bot.user_id] = Member(self.bot, joined_at)
        self.guilds[guild_id] = guild
        self._furnish(guild, voice, stage, afk)
        self.emit("GUILD_CREATE", guild_id, None)
        return guild

    def _furnish(self, guild: Guild, voice: tuple[str, ...], stage: str | None, afk: str | None) -> None:
        channels = [("chat", ChannelType.TEXT), *((each, ChannelType.VOICE) for each in voice)]
        channels += [(stage, ChannelType.STAGE)] if stage else []
        for name, kind in channels:
            self._place_channel(guild, self.old_id(max_days=31), name, kind)
        if afk:
            place = self._place_channel(guild, self.old_id(max_days=31), afk, ChannelType.VOICE)
            guild.afk_channel_id = place.channel_id

    def _place_channel(
        self, guild: Guild, channel_id: int, name: str, kind: ChannelType, parent_id: int | None = None
    ) -> Channel:
        channel = Channel(channel_id, guild.guild_id, name, kind, len(guild.channels), parent_id)
        guild.channels[channel_id] = channel
        self._channel_guilds[channel_id] = guild.guild_id
        return channel

    def create_channel(
        self, guild_id: int, name: str, kind: ChannelType = ChannelType.VOICE, *, parent_id: int | None = None
    ) -> Channel:
        channel = self._place_channel(self.guild(guild_id), self.new_id(), name, ChannelType(kind), parent_id)
        self.emit("CHANNEL_CREATE", guild_id, payloads.guild_channel(channel))
        return channel

    def rename_channel(self, channel_id: int, name: str) -> None:
        channel = self.channel(channel_id)
        channel.name = name
        self.emit("CHANNEL_UPDATE", channel.guild_id, payloads.guild_channel(channel))

    def _forget_channel(self, channel_id: int) -> None:
        channel = self.channel(channel_id)
        guild = self.guilds[channel.guild_id]
        del guild.channels[channel_id], self._channel_guilds[channel_id]
        self.emit("CHANNEL_DELETE", channel.guild_id, payloads.guild_channel(channel))
        if guild.afk_channel_id == channel_id:
            self.set_afk_channel(guild.guild_id, None)

    def set_afk_channel(self, guild_id: int, channel_id: int | None) -> None:
        guild = self.guild(guild_id)
        guild.afk_channel_id = channel_id and self.channel(channel_id).channel_id
        self.emit("GUILD_UPDATE", guild_id, payloads.guild(guild))

    def rename_guild(self, guild_id: int, name: str) -> None:
        guild = self.guild(guild_id)
        guild.name = name
        self.emit("GUILD_UPDATE", guild_id, payloads.guild(guild))

    def set_unavailable(self, guild_id: int) -> None:
        """Begin an outage: clients hear nothing of the guild until `set_available`. People go on."""
        self.emit("GUILD_DELETE", guild_id, {"id": str(guild_id), "unavailable": True})
        self.guild(guild_id).available = False

    def set_available(self, guild_id: int) -> None:
        self.guild(guild_id).available = True
        self.emit("GUILD_CREATE", guild_id, None)

    def _forget_guild(self, guild_id: int) -> None:
        for channel_id in self.guild(guild_id).channels:
            del self._channel_guilds[channel_id]
        self.emit("GUILD_DELETE", guild_id, {"id": str(guild_id)})
        del self.guilds[guild_id]

    def add_member(
        self, guild_id: int, username: str, *, bot: bool = False, roles: tuple[int, ...] = ()
    ) -> Member:
        """Make somebody new a member, with an account that is older than this world."""
        return self.admit(guild_id, User(self.old_id(), username, bot), roles=roles)

    def admit(self, guild_id: int, user: User, *, roles: tuple[int, ...] = ()) -> Member:
        """Make a user who may be a member elsewhere a member of this guild, too."""
        member = Member(user, self.clock(), list(roles))
        self.guild(guild_id).members[user.user_id] = member
        data = payloads.member(member) | {"guild_id": str(guild_id)}
        self.emit("GUILD_MEMBER_ADD", guild_id, data, user.user_id)
        return member

    def add_role(self, guild_id: int, name: str, *, managed: bool = False) -> Role:
        guild = self.guild(guild_id)
        role = Role(self.new_id(), name, len(guild.roles), managed)
        guild.roles[role.role_id] = role
        self.emit("GUILD_ROLE_CREATE", guild_id, {"guild_id": str(guild_id), "role": payloads.role(role)})
        return role

    def set_roles(self, guild_id: int, user_id: int, roles: tuple[int, ...]) -> None:
        member = self.member(guild_id, user_id)
        known = self.guild(guild_id).roles
        member.roles = [_known(known, role_id, "role").role_id for role_id in roles]
        self._member_changed(guild_id, user_id)

    def give_role(self, guild_id: int, user_id: int, role_id: int) -> bool:
        """Give one role. Return whether the member did not have it: otherwise nobody is told of anything."""
        member, role = self.member(guild_id, user_id), _known(self.guild(guild_id).roles, role_id, "role")
        if role.role_id in member.roles:
            return False
        member.roles.append(role_id)
        self._member_changed(guild_id, user_id)
        return True

    def take_role(self, guild_id: int, user_id: int, role_id: int) -> bool:
        """Take one role. Return whether the member had it."""
        member, role = self.member(guild_id, user_id), _known(self.guild(guild_id).roles, role_id, "role")
        if role.role_id not in member.roles:
            return False
        member.roles.remove(role_id)
        self._member_changed(guild_id, user_id)
        return True

    def let_bot_manage_roles(self, guild_id: int, *, allowed: bool) -> None:
        """Grant the bot the permission MANAGE_ROLES, or withdraw it: then REST refuses it with a 403."""
        self.guild(guild_id).bot_manages_roles = allowed

    def _member_changed(self, guild_id: int, user_id: int) -> None:
        data = payloads.member(self.member(guild_id, user_id)) | {"guild_id": str(guild_id)}
        self.emit("GUILD_MEMBER_UPDATE", guild_id, data, user_id)

    def emit(self, name: str, guild_id: int, data: Json | None, user_id: int | None = None) -> None:
        """Tell the listeners, unless Discord's outage hides the guild."""
        if self.guilds[guild_id].available:
            dispatch = Dispatch(name, guild_id, data, user_id)
            for listener in self.listeners:
                listener(dispatch)


def _known(them: dict[int, T], key: int, what: str) -> T:
    try:
        return them[key]
    except KeyError:
        raise WorldError(f"unknown {what} {key}") from None
