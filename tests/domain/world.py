"""A small Discord whose truth is known. Hypothesis chooses the operations; the rest is without chance."""

from dataclasses import dataclass, field

from engine.domain.inputs import (
    ChannelCreated,
    ChannelDeleted,
    GuildLost,
    MemberRemoved,
    RolesChanged,
    VoiceStateChanged,
)
from tests.domain.ingest import (
    CHANNELS_AT_MOST,
    GUILDS,
    ROLES,
    START,
    USERS,
    Ingest,
    Op,
    Roles,
    Truth,
    snowflake,
)


@dataclass
class World(Ingest):
    """``truths``: every true stay so far. ``crowded``: somebody was inside before anyone looked.

    ``roles`` are the members', in voice or not.
    """

    truths: list[Truth] = field(default_factory=list)
    roles: dict[tuple[int, int], Roles] = field(default_factory=dict)
    crowded: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for guild_id in GUILDS:
            self.channels[guild_id] = [snowflake(START - 60_000, guild_id + it) for it in range(3)]
            if self.crowded:
                self._enter(guild_id, USERS[0], self.channels[guild_id][0])
        self.now += 5_000
        self._begin_life()
        for guild_id in GUILDS:
            self._snapshot(guild_id)

    def play(self, ops: list[Op]) -> None:
        for op in ops:
            self.now += op.after_ms
            self._tick()
            getattr(self, f"do_{op.name}")(op)

    def settle(self) -> None:
        """Bring everything back into sight."""
        self.play([Op(1_500, "revive", 3), Op(1_500, "resume")])
        self.play([Op(1_500, "snapshot", it) for it in range(len(GUILDS))])

    def do_go(self, op: Op) -> None:
        """Join, move, or leave where the user is there already."""
        guild_id, user_id = self._who(op)
        channels = self.channels[guild_id]
        channel_id = channels[op.where % len(channels)]
        truth = self.inside.get((guild_id, user_id))
        if truth is not None and truth.channel_id == channel_id:
            self._exit(guild_id, user_id)
            self._tell(VoiceStateChanged(self.now, guild_id, user_id, None))
            return
        self._enter(guild_id, user_id, channel_id)
        self._tell_state(guild_id, user_id)

    def do_toggle(self, op: Op) -> None:
        """Change a flag; some updates tell nothing of the member."""
        truth = self.inside.get(self._who(op))
        if truth is not None:
            self._change(truth, 1 << op.where % 5)
            self._tell_state(truth.guild_id, truth.user_id, told=op.where < 5)

    def do_roles(self, op: Op) -> None:
        """Give or take a role, as one hears of it with the members intent."""
        self._change_roles(op)
        self._tell(RolesChanged(self.now, *self._who(op), self.roles[self._who(op)]))

    def do_regroup(self, op: Op) -> None:
        """Give or take a role, heard of by a voice update, which may tell of a flag as well."""
        self._change_roles(op)
        truth = self.inside.get(self._who(op))
        if truth is not None:
            self._change(truth, op.where // 2 % 2)
            self._tell_state(*self._who(op))

    def do_repeat(self, op: Op) -> None:
        if self._who(op) in self.inside:
            self._tell_state(*self._who(op))

    def do_remove(self, op: Op) -> None:
        guild_id, user_id = self._who(op)
        was_inside = self._exit(guild_id, user_id)
        self.roles.pop((guild_id, user_id), None)
        self._tell(MemberRemoved(self.now, guild_id, user_id))
        if was_inside and op.where % 2:
            self._tell(VoiceStateChanged(self.now, guild_id, user_id, None))

    def do_create(self, op: Op) -> None:
        guild_id, user_id = self._who(op)
        if len(self.channels[guild_id]) == CHANNELS_AT_MOST:
            return
        channel_id = snowflake(self.now, self._name())
        self.channels[guild_id].append(channel_id)
        self._tell(ChannelCreated(self.now, guild_id, channel_id))
        if op.where % 2 and (guild_id, user_id) in self.inside:  # "join to create"
            self._enter(guild_id, user_id, channel_id)
            self._tell_state(guild_id, user_id)

    def do_delete(self, op: Op) -> None:
        guild_id, _ = self._who(op)
        channels = self.channels[guild_id]
        if len(channels) == 1:
            return
        channel_id = channels.pop(op.where % len(channels))
        self._tell(ChannelDeleted(self.now, guild_id, channel_id))
        for user_id in USERS:
            truth = self.inside.get((guild_id, user_id))
            if truth is not None and truth.channel_id == channel_id:
                self._exit(guild_id, user_id)
                if op.where % 2:
                    self._tell(VoiceStateChanged(self.now, guild_id, user_id, None))

    def do_lost(self, op: Op) -> None:
        guild_id, _ = self._who(op)
        if self._link != "up":
            return
        if guild_id in self._open_gaps and guild_id not in self._outage_at:
            return  # not yet on this connection
        self._append(GuildLost(self.now, guild_id))
        self._outage(guild_id)
        for user_id in USERS:
            truth = self._exit(guild_id, user_id)
            if truth is not None:
                truth.cancelled = True
                self._enter(guild_id, user_id, truth.channel_id, truth)

    def _enter(self, guild_id: int, user_id: int, channel_id: int, like: Truth | None = None) -> None:
        before = self._exit(guild_id, user_id) or like
        name = f"s{self._name()}" if before is None else before.gateway_session_id
        now = (self.now, 0 if before is None else before.flags, self.roles.get((guild_id, user_id), ()))
        truth = Truth(guild_id, user_id, channel_id, name, self.now, [now])
        self.inside[guild_id, user_id] = truth
        self.truths.append(truth)

    def _exit(self, guild_id: int, user_id: int) -> Truth | None:
        truth = self.inside.pop((guild_id, user_id), None)
        if truth is not None:
            truth.ended_at = self.now
        return truth

    def _change(self, truth: Truth, flag: int) -> None:
        roles = self.roles.get((truth.guild_id, truth.user_id), ())
        truth.changes.append((self.now, truth.flags ^ flag, roles))

    def _change_roles(self, op: Op) -> None:
        who = self._who(op)
        changed = {ROLES[op.where % len(ROLES)]}.symmetric_difference(self.roles.get(who, ()))
        self.roles[who] = tuple(sorted(changed))
        if who in self.inside:
            self._change(self.inside[who], 0)

    def _tell_state(self, guild_id: int, user_id: int, *, told: bool = True) -> None:
        it = self.inside[guild_id, user_id]
        roles = it.roles if told else None
        state = (it.channel_id, it.flags, it.gateway_session_id, False, roles)
        self._tell(VoiceStateChanged(self.now, guild_id, user_id, *state))
