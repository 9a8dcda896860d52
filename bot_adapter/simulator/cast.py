"""Who and what a community consists of: guilds, channels, people, one music bot each."""

import random
from dataclasses import dataclass

from bot_adapter.simulator.entities import Guild
from bot_adapter.simulator.world import World

HUB = "Create a room"
AFK = "AFK"

_GUILDS = ("Harbour", "Evening School", "Boardgamers", "Synth Club", "Night Owls", "Makers")
_ROOMS = ("General", "Study", "Gaming", "Music")
_STAGE = "Stage"
# What people gather for where.
OCCASIONS = {
    "General": "Town hall",
    "Study": "Study night",
    "Gaming": "Game night",
    "Music": "Listening party",
    _STAGE: "Open stage",
}
_NAMES = (
    *("ada", "alma", "anton", "bela", "bruno", "carla", "cleo", "dario", "edda", "emil", "fabian", "freya"),
    *("gita", "hanna", "hugo", "ida", "ivo", "jana", "jonas", "kira", "lars", "lena", "leo", "mara"),
    *("milo", "nadia", "nils", "olga", "otto", "paula", "quinn", "rosa", "ruben", "selma", "tariq", "thea"),
    *("uma", "viktor", "wanda", "yara", "zeno"),
)


@dataclass(frozen=True, slots=True)
class Cast:
    """One guild's people, without the music bot. They may be members of other guilds, too.

    In a fixed order, so that a seed's choices do not depend on the ids.
    """

    guild_id: int
    people: tuple[int, ...]
    music_bot: int


def settle(world: World, guilds: int, members: int, draw: random.Random) -> list[Cast]:
    """Found the guilds, and spread ``members`` over them; every fifth is in two guilds."""
    founded = [_found(world, index) for index in range(guilds)]
    people: list[list[int]] = [[] for _ in founded]
    for index in range(members):
        home = index % guilds
        member = world.add_member(founded[home].guild_id, _name(index))
        people[home].append(member.user.user_id)
        if index % 5 == 0 and guilds > 1:
            second = (home + draw.randrange(1, guilds)) % guilds
            world.admit(founded[second].guild_id, member.user)
            people[second].append(member.user.user_id)
    return [_cast(world, guild, them) for guild, them in zip(founded, people, strict=True)]


def _found(world: World, index: int) -> Guild:
    name = _GUILDS[index % len(_GUILDS)]
    repeat = index // len(_GUILDS)
    name = f"{name} {repeat + 1}" if repeat else name
    return world.add_guild(name, voice=(*_ROOMS, HUB), stage=_STAGE, afk=AFK)


def _cast(world: World, guild: Guild, people: list[int]) -> Cast:
    music_bot = world.add_member(guild.guild_id, "jukebox", bot=True)
    return Cast(guild.guild_id, tuple(people), music_bot.user.user_id)


def _name(index: int) -> str:
    name, repeat = _NAMES[index % len(_NAMES)], index // len(_NAMES)
    return f"{name}{repeat + 1}" if repeat else name
