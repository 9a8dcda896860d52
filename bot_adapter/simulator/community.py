"""A community that lives in the world: seeded, so that the same people make the same kind of choices."""

import asyncio
import heapq
import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from bot_adapter.simulator.cast import HUB, Cast, settle
from bot_adapter.simulator.entities import Channel, ChannelType, Guild
from bot_adapter.simulator.occasions import Occasions, People
from bot_adapter.simulator.structure import WorldError
from bot_adapter.simulator.world import World

log = structlog.get_logger(__name__)

# How many of the members are in voice on a usual evening.
_USUAL_SHARE = 0.45
_IDLE_S = 0.05


@dataclass(frozen=True, slots=True)
class Habits:
    """``actions_per_s``: how often somebody does something, over all guilds. The rest follows from that.

    Scheduled events come on top: so much the sooner and shorter as the actions are faster than usual.
    """

    guilds: int = 3
    members: int = 40
    seed: int = 1
    actions_per_s: float = 2.0


class Community:
    """Settles in the world at once, with some people in voice already, and acts while `run` runs.

    It tolerates that others act upon the same world.
    """

    def __init__(
        self, world: World, habits: Habits | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.actions = 0
        self._world = world
        self._habits = habits or Habits()
        self._clock = clock
        self._random = random.Random(self._habits.seed)  # noqa: S311 - a reproducible play, no secret
        self._casts = settle(world, self._habits.guilds, self._habits.members, self._random)
        self._temporary: set[int] = set()
        self._follow_ups: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        for cast in self._casts:
            for _ in range(int(len(cast.people) * _USUAL_SHARE)):
                self._come(cast)
        people = People(self._later, self._bring, self._leave)
        pace_s = Habits().actions_per_s / self._habits.actions_per_s
        self._occasions = Occasions(world, self._casts, people, seed=self._habits.seed, pace_s=pace_s)

    async def run(self) -> None:
        """Act until cancelled."""
        next_at = self._clock()
        while True:
            now = self._clock()
            self.follow_up(now)
            if now >= next_at:
                self.act()
                next_at = now + self._random.expovariate(self._habits.actions_per_s)
            await asyncio.sleep(min(_IDLE_S, max(0.0, next_at - now)))

    def act(self) -> None:
        """Let somebody do one thing."""
        casts = [it for it in self._casts if it.guild_id in self._world.guilds]
        if casts:
            cast = self._random.choices(casts, [len(it.people) + 1 for it in casts])[0]
            self._try(lambda: self._some_deed(cast)(cast))
            self.actions += 1

    def _some_deed(self, cast: Cast) -> Callable[[Cast], None]:
        share = len(self._inside(cast)) / max(1, len(cast.people))
        deeds = {
            self._come: 0.6 if share < _USUAL_SHARE else 0.2,
            self._go: 0.2 if share < _USUAL_SHARE else 0.45,
            self._wander: 0.35,
            self._toggle: 0.5,
            self._hop: 0.1,
            self._doze: 0.05,
            self._play_music: 0.06,
            self._moderate: 0.06,
        }
        return self._random.choices(list(deeds), list(deeds.values()))[0]

    def follow_up(self, now: float) -> None:
        """Do what has become due of earlier acts: hubs make channels, empty ones go, hops end."""
        while self._follow_ups and self._follow_ups[0][0] <= now:
            self._try(heapq.heappop(self._follow_ups)[2])

    def _try(self, deed: Callable[[], object]) -> None:
        try:
            deed()
        except WorldError as error:
            # Somebody else has acted meanwhile: they left, or the channel is gone.
            log.debug("community_deed_dropped", reason=str(error))

    def _later(self, delay_s: float, deed: Callable[[], object]) -> None:
        heapq.heappush(self._follow_ups, (self._clock() + delay_s, next(self._order), deed))

    def _inside(self, cast: Cast) -> list[int]:
        voice = self._world.guild(cast.guild_id).voice
        return [user_id for user_id in cast.people if user_id in voice]

    def _outside(self, cast: Cast) -> list[int]:
        """Return who is nowhere in voice: nobody can be in two guilds' channels at once."""
        return [user_id for user_id in cast.people if not self._in_voice(user_id)]

    def _in_voice(self, user_id: int) -> bool:
        return any(user_id in it.voice for it in self._world.guilds.values())

    def _come(self, cast: Cast) -> None:
        guild, outside = self._world.guild(cast.guild_id), self._outside(cast)
        if outside:
            user_id, channel = self._random.choice(outside), self._some_channel(guild)
            muted = self._random.random() < 0.25
            self._world.join(guild.guild_id, user_id, channel.channel_id, self_mute=muted)
            self._entered(guild, user_id, channel)

    def _go(self, cast: Cast) -> None:
        inside = self._inside(cast)
        if inside:
            self._leave(cast.guild_id, self._random.choice(inside))

    def _leave(self, guild_id: int, user_id: int) -> None:
        self._world.leave(guild_id, user_id)
        self._tidy(guild_id)

    def _bring(self, guild_id: int, user_id: int, channel_id: int) -> None:
        """Let somebody come from wherever in the guild. Who is in voice in another one stays there."""
        state = self._world.guild(guild_id).voice.get(user_id)
        if state is not None and state.channel_id != channel_id:
            self._world.move(guild_id, user_id, channel_id)
            self._tidy(guild_id)
        elif state is None and not self._in_voice(user_id):
            self._world.join(guild_id, user_id, channel_id)

    def _wander(self, cast: Cast) -> None:
        guild, inside = self._world.guild(cast.guild_id), self._inside(cast)
        if inside:
            user_id = self._random.choice(inside)
            channel = self._some_channel(guild, but=guild.voice[user_id].channel_id)
            self._world.move(guild.guild_id, user_id, channel.channel_id)
            self._entered(guild, user_id, channel)
            self._tidy(guild.guild_id)

    def _toggle(self, cast: Cast) -> None:
        guild, inside = self._world.guild(cast.guild_id), self._inside(cast)
        if inside:
            user_id = self._random.choice(inside)
            state = guild.voice[user_id]
            if self._random.random() < 0.6:
                self._world.set_voice(guild.guild_id, user_id, self_mute=not state.self_mute)
            else:
                # Who deafens is muted, too, in Discord's own client.
                deaf = not state.self_deaf
                self._world.set_voice(guild.guild_id, user_id, self_deaf=deaf, self_mute=deaf)

    def _hop(self, cast: Cast) -> None:
        """Look in at a channel, and be gone within a second or so."""
        guild, outside = self._world.guild(cast.guild_id), self._outside(cast)
        if outside:
            user_id, channel = self._random.choice(outside), self._some_channel(guild, hub=False)
            self._world.join(guild.guild_id, user_id, channel.channel_id)
            self._later(self._random.uniform(0.2, 1.6), lambda: self._leave(guild.guild_id, user_id))

    def _doze(self, cast: Cast) -> None:
        """Fall asleep: Discord carries one into the AFK channel."""
        guild, inside = self._world.guild(cast.guild_id), self._inside(cast)
        awake = [it for it in inside if guild.voice[it].channel_id != guild.afk_channel_id]
        if awake and guild.afk_channel_id is not None:
            self._world.move(guild.guild_id, self._random.choice(awake), guild.afk_channel_id)
            self._tidy(guild.guild_id)

    def _play_music(self, cast: Cast) -> None:
        """Bring the music bot where people are, or send it away when nobody listens."""
        guild = self._world.guild(cast.guild_id)
        state = guild.voice.get(cast.music_bot)
        listeners = self._inside(cast)
        if state is not None:
            alone = guild.present(state.channel_id) == [cast.music_bot]
            if alone or self._random.random() < 0.3:
                self._leave(guild.guild_id, cast.music_bot)
        elif listeners:
            channel_id = guild.voice[self._random.choice(listeners)].channel_id
            self._world.join(guild.guild_id, cast.music_bot, channel_id, self_deaf=True)

    def _moderate(self, cast: Cast) -> None:
        """Mute somebody for the guild, or let somebody speak on the stage."""
        guild, inside = self._world.guild(cast.guild_id), self._inside(cast)
        if inside:
            user_id = self._random.choice(inside)
            kind = self._world.channel(guild.voice[user_id].channel_id).kind
            if kind is ChannelType.STAGE:
                suppressed = not guild.voice[user_id].suppress
                self._world.set_voice(guild.guild_id, user_id, suppress=suppressed)
            else:
                muted = not guild.members[user_id].mute
                self._world.set_voice(guild.guild_id, user_id, mute=muted)

    def _entered(self, guild: Guild, user_id: int, channel: Channel) -> None:
        if channel.name == HUB:
            self._later(self._random.uniform(0.2, 0.8), lambda: self._open_room(guild, user_id))

    def _open_room(self, guild: Guild, user_id: int) -> None:
        """Do what a "join to create" bot does: make a channel for who is in the hub, and move them there."""
        state = guild.voice.get(user_id)
        if state is None or guild.channels[state.channel_id].name != HUB:
            return
        name = f"{guild.members[user_id].user.username}'s room"
        room = self._world.create_channel(guild.guild_id, name)
        self._temporary.add(room.channel_id)
        self._world.move(guild.guild_id, user_id, room.channel_id)

    def _tidy(self, guild_id: int) -> None:
        """Delete temporary channels a moment after the last person left."""
        guild = self._world.guild(guild_id)
        for channel_id in self._temporary & guild.channels.keys():
            if not guild.present(channel_id):
                self._later(self._random.uniform(0.1, 0.5), partial(self._close_room, channel_id))

    def _close_room(self, channel_id: int) -> None:
        if channel_id in self._temporary and not self._occupied(channel_id):
            self._temporary.discard(channel_id)
            self._world.delete_channel(channel_id)

    def _occupied(self, channel_id: int) -> bool:
        return bool(self._world.guild(self._world.channel(channel_id).guild_id).present(channel_id))

    def _some_channel(self, guild: Guild, *, but: int | None = None, hub: bool = True) -> Channel:
        """Choose a channel, rather one where there are people."""
        them = [
            it
            for it in guild.voice_channels()
            if it.channel_id not in (but, guild.afk_channel_id) and (hub or it.name != HUB)
        ]
        weights = [1.5 if it.name == HUB else 1 + len(guild.present(it.channel_id)) for it in them]
        return self._random.choices(them, weights)[0]
