"""What a community gathers for now and then: a scheduled event, to which most of a guild's people come."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bot_adapter.simulator.cast import OCCASIONS, Cast
from bot_adapter.simulator.entities import Channel, ChannelType, EntityType, Guild
from bot_adapter.simulator.world import World

# In seconds, at a usual pace.
_FIRST, _AHEAD, _LENGTH, _PAUSE = (3, 8), (15, 25), (45, 80), (15, 45)
_CANCELED_SHARE = 0.15
_GUESTS_SHARE = (0.6, 0.9)
_GUESTS_MAX = 50
# Of an event's guests, how many turn deaf for a while, and how many leave before its end.
_DEAF_SHARE, _EARLY_SHARE = 0.2, 0.15

Later = Callable[[float, Callable[[], object]], None]


@dataclass(frozen=True, slots=True)
class People:
    """What members can do for an occasion. A `WorldError` of theirs is no matter to it."""

    later: Later
    bring: Callable[[int, int, int], None]
    leave: Callable[[int, int], None]


class Occasions:
    """One event at a time, over all guilds. ``pace_s`` is how long a usual second takes.

    It draws from a random sequence of its own, so that the everyday life's is the same as without it.
    """

    def __init__(self, world: World, casts: list[Cast], people: People, *, seed: int, pace_s: float) -> None:
        self._world = world
        self._casts = casts
        self._people = people
        self._pace_s = pace_s
        self._random = random.Random(f"{seed} occasions")  # noqa: S311 - a reproducible play, no secret
        self._held = 0
        self._later(self._span(_FIRST), self._announce)

    def _announce(self) -> None:
        """Create the next event, and arrange all of it. What fails on the way does not stop the one after."""
        ahead, length = self._span(_AHEAD), self._span(_LENGTH)
        self._later(ahead + length + self._span(_PAUSE), self._announce)
        casts = [it for it in self._casts if it.guild_id in self._world.guilds]
        if not casts:
            return
        cast = self._random.choice(casts)
        halls = _halls(self._world.guild(cast.guild_id))
        if halls:
            self._arrange(cast, self._random.choice(halls), ahead, length)

    def _arrange(self, cast: Cast, hall: Channel, ahead: float, length: float) -> None:
        event_id = self._create(hall, ahead, length)
        if self._held and self._random.random() < _CANCELED_SHARE:
            self._later(ahead / 2, partial(self._world.cancel_scheduled_event, hall.guild_id, event_id))
            return
        self._held += 1
        self._later(ahead, partial(self._world.start_scheduled_event, hall.guild_id, event_id))
        end = ahead + length
        self._later(end, partial(self._world.complete_scheduled_event, hall.guild_id, event_id))
        share = self._random.uniform(*_GUESTS_SHARE)
        for user_id in self._random.sample(cast.people, min(_GUESTS_MAX, round(len(cast.people) * share))):
            self._invite(hall, user_id, ahead, end)

    def _create(self, hall: Channel, ahead: float, length: float) -> int:
        starts_at = self._world.clock() + _ms(ahead)
        # Half of them have an end by plan; the true one comes a little before or after.
        by_plan = self._random.uniform(0.9, 1.1) * length
        ends_at = starts_at + max(1, _ms(by_plan)) if self._random.random() < 0.5 else None
        stage = hall.kind is ChannelType.STAGE
        event = self._world.create_scheduled_event(
            hall.guild_id,
            OCCASIONS[hall.name],
            hall.channel_id,
            starts_at,
            ends_at,
            EntityType.STAGE_INSTANCE if stage else EntityType.VOICE,
        )
        return event.event_id

    def _invite(self, hall: Channel, user_id: int, start: float, end: float) -> None:
        """Let somebody come a little early or late, and perhaps turn deaf for a while, or leave."""
        length = end - start
        comes = start + self._random.uniform(-0.1, 0.3) * length
        self._later(comes, partial(self._people.bring, hall.guild_id, user_id, hall.channel_id))
        fate = self._random.random()
        if fate < _DEAF_SHARE:
            for deaf, share in ((True, 0.3), (False, 0.5)):
                act = partial(self._turn_deaf, hall, user_id, deaf=deaf)
                self._later(comes + share * (end - comes), act)
        elif fate < _DEAF_SHARE + _EARLY_SHARE:
            leaves = self._random.uniform(comes, end)
            self._later(leaves, partial(self._people.leave, hall.guild_id, user_id))

    def _turn_deaf(self, hall: Channel, user_id: int, *, deaf: bool) -> None:
        self._world.set_voice(hall.guild_id, user_id, self_deaf=deaf, self_mute=deaf)

    def _later(self, delay_s: float, deed: Callable[[], object]) -> None:
        self._people.later(delay_s, deed)

    def _span(self, bounds: tuple[float, float]) -> float:
        return self._random.uniform(*bounds) * self._pace_s


def _halls(guild: Guild) -> list[Channel]:
    return [it for it in guild.voice_channels() if it.name in OCCASIONS]


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
