"""``python -m bot_adapter.simulator``: the demo's Discord alone."""

import argparse
import sys
from pathlib import Path

from bot_adapter.simulator.community import Habits
from bot_adapter.simulator.demo import Demo, main


def parse(arguments: list[str]) -> Demo:
    usual = Habits()
    parser = argparse.ArgumentParser(prog="python -m bot_adapter.simulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--address-file", type=Path, help="where to write the base URL")
    parser.add_argument("--guilds", type=int, default=usual.guilds)
    parser.add_argument("--members", type=int, default=usual.members)
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--actions-per-s", type=float, default=usual.actions_per_s)
    it = parser.parse_args(arguments)
    habits = Habits(it.guilds, it.members, it.seed, it.actions_per_s)
    return Demo(habits, it.host, it.port, it.address_file)


if __name__ == "__main__":
    sys.exit(main(parse(sys.argv[1:])))
