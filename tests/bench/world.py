"""A made-up voice world for the bench: guilds, members and their updates, drawn from a seed."""

import random
from collections.abc import Iterator

from engine.domain.inputs import GuildSnapshot, Heartbeat, Input, ShardBeat, VoiceState, VoiceStateChanged

GUILDS = 10_000  # of every size: what differs is how many sessions are open in them
CHANNELS_PER_GUILD = 5
START_AT = 1_750_000_000_000
_GUILDS_FROM = 10**18


class VoiceWorld:
    """``open_sessions`` members in voice, spread at random over guilds; their number stays about the same."""

    def __init__(self, open_sessions: int, seed: int = 1, guilds: int = GUILDS) -> None:
        self.random = random.Random(seed)
        self.guilds = [_GUILDS_FROM + (n << 22) for n in range(guilds)]
        self.at = START_AT
        self._flags: list[int] = []
        self._places: list[tuple[int, int, int]] = []  # guild, user, channel
        self._away: list[tuple[int, int]] = []
        by_guild: dict[int, list[VoiceState]] = {guild_id: [] for guild_id in self.guilds}
        for number in range(open_sessions):
            guild_id = self.random.choice(self.guilds)
            user_id = 2 * 10**18 + number
            channel_id = self._channel(guild_id)
            by_guild[guild_id].append(VoiceState(user_id, channel_id, 0, f"{user_id:032x}"))
            self._places.append((guild_id, user_id, channel_id))
            self._flags.append(0)
        self._by_guild = by_guild

    def snapshots(self) -> Iterator[Input]:
        """Yield what opens all sessions."""
        yield self.heartbeat()
        for guild_id, states in self._by_guild.items():
            yield GuildSnapshot(self.at, guild_id, "bench/1", tuple(states))
        self._by_guild = {}

    def heartbeat(self) -> Heartbeat:
        """Return one heartbeat."""
        return Heartbeat(self.at, (ShardBeat(0, "bench/1", True, self.at),))

    def updates(self, count: int, per_second: int = 10_000) -> Iterator[Input]:
        """Yield updates of random members: 40 % toggles, 30 % moves, 15 % leaves, 15 % joins."""
        for number in range(count):
            if number % per_second == 0:
                yield self.heartbeat()
            if number % max(1, per_second // 1000) == 0:
                self.at += 1
            yield self._update()

    def _update(self) -> VoiceStateChanged:
        draw = self.random.random()
        if draw < 0.15 and self._away:
            guild_id, user_id = self._away.pop()
            self._places.append((guild_id, user_id, self._channel(guild_id)))
            self._flags.append(0)
            return self._told(len(self._places) - 1)
        index = self.random.randrange(len(self._places))
        guild_id, user_id, channel_id = self._places[index]
        if draw < 0.30 and len(self._places) > 1:
            self._leave(index)
            return VoiceStateChanged(self.at, guild_id, user_id, None, 0, f"{user_id:032x}")
        if draw < 0.60:
            self._places[index] = (guild_id, user_id, self._channel(guild_id, channel_id))
        else:
            self._flags[index] ^= 1 << self.random.randrange(4)
        return self._told(index)

    def _leave(self, index: int) -> None:
        guild_id, user_id, _ = self._places[index]
        self._away.append((guild_id, user_id))
        self._places[index], self._flags[index] = self._places[-1], self._flags[-1]
        self._places.pop()
        self._flags.pop()

    def _told(self, index: int) -> VoiceStateChanged:
        guild_id, user_id, channel_id = self._places[index]
        return VoiceStateChanged(
            self.at, guild_id, user_id, channel_id, self._flags[index], f"{user_id:032x}", False, (guild_id,)
        )

    def channels(self, guild_id: int) -> tuple[int, ...]:
        """Return a guild's voice channels."""
        return tuple(guild_id + 1 + n for n in range(CHANNELS_PER_GUILD))

    def _channel(self, guild_id: int, other_than: int = 0) -> int:
        while (channel_id := guild_id + 1 + self.random.randrange(CHANNELS_PER_GUILD)) == other_than:
            pass
        return channel_id
