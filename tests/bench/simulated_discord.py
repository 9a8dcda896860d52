"""A process: the simulated Discord with guilds where nothing happens but what the bench asks for."""

import asyncio
import signal
import sys
from pathlib import Path

from stage import write_whole

from bot_adapter.simulator.server import SimulatorServer
from bot_adapter.simulator.world import World
from engine.processes.lifeline import watch_parent

CHANNELS = tuple(f"Voice {number}" for number in range(5))


async def serve(address: Path, guilds: int) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    world = World()
    for number in range(guilds):
        world.add_guild(f"Guild {number}", voice=CHANNELS)
    server = SimulatorServer(world)
    await server.start()
    write_whole(address, server.base_url)
    await stopped.wait()
    await server.stop()


if __name__ == "__main__":
    watch_parent()
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
