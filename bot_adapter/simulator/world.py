"""The world with its people: what members do in voice, what becomes of it, and the truth about it."""

from bot_adapter.simulator import payloads
from bot_adapter.simulator.entities import ChannelType, Guild, VoicePresence
from bot_adapter.simulator.schedule import Schedule
from bot_adapter.simulator.structure import WorldError
from bot_adapter.simulator.truth import Presence
from engine.domain.inputs import VoiceFlags

OWN_FLAGS = ("self_mute", "self_deaf", "self_video", "self_stream", "suppress")
SERVER_FLAGS = ("mute", "deaf")


class World(Schedule):
    """Guilds that people come to and leave. Each action takes effect at the clock's present moment."""

    def join(
        self,
        guild_id: int,
        user_id: int,
        channel_id: int,
        *,
        gateway_session_id: str | None = None,
        **flags: bool,
    ) -> None:
        """Let a member enter voice. Without ``gateway_session_id`` it comes with a new client session.

        Who enters a stage listens there first, as suppressed. ``flags`` are those of `set_voice`.
        """
        guild = self.guild(guild_id)
        self._check_can_enter(guild, user_id, channel_id)
        _check_flags(flags)
        session_id = gateway_session_id or f"{self._life.getrandbits(128):032x}"
        state = VoicePresence(user_id, channel_id, session_id)
        state.suppress = self._is_stage(guild, channel_id)
        guild.voice[user_id] = state
        self._assign(guild, user_id, flags)
        self._open_presence(guild, state, self.clock())
        self._voice_changed(guild, user_id)

    def move(self, guild_id: int, user_id: int, channel_id: int) -> None:
        guild = self.guild(guild_id)
        state = self._voice(guild, user_id)
        self._check_has_voice(guild, channel_id)
        if state.channel_id == channel_id:
            raise WorldError(f"member {user_id} is in channel {channel_id} already")
        state.channel_id = channel_id
        state.suppress = self._is_stage(guild, channel_id)
        at = self.clock()
        self.truth.closed(guild_id, user_id, at)
        self._open_presence(guild, state, at)
        self._voice_changed(guild, user_id)

    def leave(self, guild_id: int, user_id: int) -> None:
        self._end_voice(self.guild(guild_id), user_id, voice_update=True)

    def set_voice(self, guild_id: int, user_id: int, **flags: bool) -> None:
        """Set some of self_mute, self_deaf, self_video, self_stream, suppress, and the server's mute, deaf.

        A repeated value is sent to the clients again, as Discord now and then does.
        """
        guild = self.guild(guild_id)
        self._voice(guild, user_id)
        _check_flags(flags)
        self._assign(guild, user_id, flags)
        self.truth.changed(guild_id, user_id, self.clock(), self.flags(guild, user_id))
        self._voice_changed(guild, user_id)
        if flags.keys() & set(SERVER_FLAGS):
            self._member_changed(guild_id, user_id)

    def delete_channel(self, channel_id: int, *, voice_updates: bool = False) -> None:
        """Delete a channel; whoever is inside is out. Discord may send no voice update for them."""
        channel = self.channel(channel_id)
        guild = self.guilds[channel.guild_id]
        for user_id in guild.present(channel_id):
            self._end_voice(guild, user_id, voice_update=voice_updates)
        self._forget_channel(channel_id)

    def remove_member(self, guild_id: int, user_id: int, *, voice_update: bool = True) -> None:
        """Let a member leave the guild, or be kicked."""
        guild, member = self.guild(guild_id), self.member(guild_id, user_id)
        if user_id in guild.voice:
            self._end_voice(guild, user_id, voice_update=voice_update)
        del guild.members[user_id]
        data = {"guild_id": str(guild_id), "user": payloads.user(member.user)}
        self.emit("GUILD_MEMBER_REMOVE", guild_id, data, user_id)

    def remove_guild(self, guild_id: int) -> None:
        """Take the guild from the bot. As far as the bot can know, the presences end there."""
        guild, at = self.guild(guild_id), self.clock()
        for user_id in guild.voice:
            self.truth.closed(guild_id, user_id, at)
        self._forget_guild(guild_id)

    @staticmethod
    def flags(guild: Guild, user_id: int) -> VoiceFlags:
        """Return what cuts a session into spans, of somebody in voice."""
        state, member = guild.voice[user_id], guild.members[user_id]
        return VoiceFlags(
            state.self_deaf * VoiceFlags.SELF_DEAF
            | member.deaf * VoiceFlags.DEAF
            | state.self_mute * VoiceFlags.SELF_MUTE
            | member.mute * VoiceFlags.MUTE
            | state.suppress * VoiceFlags.SUPPRESS
        )

    @staticmethod
    def _assign(guild: Guild, user_id: int, flags: dict[str, bool]) -> None:
        state, member = guild.voice[user_id], guild.members[user_id]
        for name, value in flags.items():
            setattr(member if name in SERVER_FLAGS else state, name, value)

    def _check_can_enter(self, guild: Guild, user_id: int, channel_id: int) -> None:
        self.member(guild.guild_id, user_id)
        self._check_has_voice(guild, channel_id)
        if user_id in guild.voice:
            raise WorldError(f"member {user_id} is in voice already; move it")

    @staticmethod
    def _check_has_voice(guild: Guild, channel_id: int) -> None:
        channel = guild.channels.get(channel_id)
        if channel is None or not channel.kind.has_voice:
            raise WorldError(f"channel {channel_id} is no voice channel of guild {guild.guild_id}")

    @staticmethod
    def _is_stage(guild: Guild, channel_id: int) -> bool:
        return guild.channels[channel_id].kind is ChannelType.STAGE

    @staticmethod
    def _voice(guild: Guild, user_id: int) -> VoicePresence:
        try:
            return guild.voice[user_id]
        except KeyError:
            raise WorldError(f"member {user_id} is not in voice in guild {guild.guild_id}") from None

    def _open_presence(self, guild: Guild, state: VoicePresence, at: int) -> None:
        user_id = state.user_id
        presence = Presence(
            guild.guild_id,
            user_id,
            state.channel_id,
            bot=guild.members[user_id].user.bot,
            gateway_session_id=state.gateway_session_id,
            joined_at=at,
        )
        self.truth.opened(presence, self.flags(guild, user_id))

    def _voice_changed(self, guild: Guild, user_id: int) -> None:
        state, member = guild.voice[user_id], guild.members[user_id]
        data = payloads.voice_state_update(guild.guild_id, state, member)
        self.emit("VOICE_STATE_UPDATE", guild.guild_id, data, user_id)

    def _end_voice(self, guild: Guild, user_id: int, *, voice_update: bool) -> None:
        state, member = self._voice(guild, user_id), guild.members[user_id]
        del guild.voice[user_id]
        self.truth.closed(guild.guild_id, user_id, self.clock())
        if voice_update:
            data = payloads.voice_state_update(guild.guild_id, state, member, left=True)
            self.emit("VOICE_STATE_UPDATE", guild.guild_id, data, user_id)


def _check_flags(flags: dict[str, bool]) -> None:
    if unknown := flags.keys() - {*OWN_FLAGS, *SERVER_FLAGS}:
        raise WorldError(f"unknown voice flags: {', '.join(sorted(unknown))}")
