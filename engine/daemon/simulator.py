"""The simulator process: a small Discord and its community."""

from typing import TYPE_CHECKING

from engine import directories
from engine.processes.lifeline import watch_parent

if TYPE_CHECKING:
    from engine.config import Config

ACTIONS_PER_S = 2.0  # of the simulated community at speed 1


def main(config: "Config") -> int:
    """Run the simulated Discord and its community."""
    from bot_adapter.simulator import demo
    from bot_adapter.simulator.community import Habits

    directories.prepare(config)
    watch_parent()
    it = config.simulator
    habits = Habits(it.guilds, it.members, it.seed, ACTIONS_PER_S * it.speed)
    return demo.main(demo.Demo(habits, port=it.port, address_file=config.runtime_dir / "simulator.url"))
