"""A process: the demo's lively community, and around it a city of people who sit in voice.

A script, so that it runs in any folder. Nobody stirs before SIGUSR1. Its ``/sim/truth`` tells of all of them.
"""

import argparse
import asyncio
import random
import signal
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path

from bot_adapter.simulator.community import Community, Habits
from bot_adapter.simulator.server import SimulatorServer
from bot_adapter.simulator.structure import WorldError
from bot_adapter.simulator.world import World

ROOMS = ("North", "East", "South", "West")
CROWD = 500  # people to a guild


class City:
    """``sitters`` people in voice. ``stir`` has one of them do something: go, come back, move, be muted."""

    def __init__(self, world: World, sitters: int, seed: int) -> None:
        self._world, self._draw = world, random.Random(seed)
        self._people: list[tuple[int, int]] = []
        for first in range(0, sitters, CROWD):
            self._settle(min(CROWD, sitters - first))

    def _settle(self, people: int) -> None:
        guild = self._world.add_guild(f"District {len(self._people) // CROWD + 1}", voice=ROOMS)
        for number in range(people):
            user_id = self._world.add_member(guild.guild_id, f"sitter{number}").user.user_id
            self._people.append((guild.guild_id, user_id))
            self._world.join(guild.guild_id, user_id, self._some_room(guild.guild_id))

    def stir(self) -> None:
        if not self._people:
            return
        guild_id, user_id = self._draw.choice(self._people)
        state = self._world.guild(guild_id).voice.get(user_id)
        with suppress(WorldError):  # who is to move into the room that they are in stays there
            if state is None:
                self._world.join(guild_id, user_id, self._some_room(guild_id))
            elif (what := self._draw.random()) < 0.3:
                self._world.leave(guild_id, user_id)
            elif what < 0.7:
                self._world.move(guild_id, user_id, self._some_room(guild_id))
            else:
                self._world.set_voice(guild_id, user_id, self_mute=not state.self_mute)

    def _some_room(self, guild_id: int) -> int:
        return self._draw.choice(self._world.guild(guild_id).voice_channels()).channel_id

    async def live(self, actions_per_s: float) -> None:
        """Stir until cancelled."""
        while True:
            await asyncio.sleep(self._draw.expovariate(actions_per_s))
            self.stir()


async def serve(chosen: argparse.Namespace) -> None:
    stopped, begun, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    loop.add_signal_handler(signal.SIGUSR1, begun.set)
    world = World(chosen.seed)
    city = City(world, chosen.sitters, chosen.seed)
    community = Community(world, Habits(2, 60, chosen.seed, chosen.actions_per_s / 2))
    server = SimulatorServer(world)
    await server.start()
    lives = [
        loop.create_task(_once(begun, it)) for it in (community.run(), city.live(chosen.actions_per_s / 2))
    ]
    draft = chosen.address_file.with_suffix(".new")
    draft.write_text(server.base_url)
    draft.replace(chosen.address_file)
    await asyncio.wait(
        {*lives, stop := loop.create_task(stopped.wait())}, return_when=asyncio.FIRST_COMPLETED
    )
    for task in (*lives, stop):
        task.cancel()
    await asyncio.gather(*lives, stop, return_exceptions=True)
    await server.stop()


async def _once(begun: asyncio.Event, life: Awaitable[None]) -> None:
    await begun.wait()
    await life


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address-file", type=Path, required=True)
    parser.add_argument("--sitters", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--actions-per-s", type=float, default=50.0)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
