"""A wall clock that is set while the daemon runs. The simulator keeps the true one."""

import random

from tests.crash.stage import Stage
from tests.daemon.programme import Organizer
from tests.daemon.quiet_guild import VOICE
from tests.daemon.truth import APART_MS

HOUR_S, DAY_S = 3_600, 86_400
MOVES_S = (-DAY_S, -HOUR_S, HOUR_S, DAY_S)


def move(stage: Stage, draw: random.Random) -> None:
    """Set the clock an hour or a day before or behind the true one, ask something of the engine, and kill it.

    What the engine says itself, a request here, must not take the partition's time to where its clock stands.
    """
    daemon, moved_s = stage.daemon, draw.choice(MOVES_S)
    stage.turn(moved_s=moved_s)
    stage.apart_ms = APART_MS  # its own clock follows at half a millisecond a second
    guild = draw.choice(stage.city.world())
    channel = next(it["id"] for it in guild["channels"] if it["type"] == VOICE)
    organizer = Organizer(daemon, guild["id"])
    organizer.start(organizer.create(f"At {moved_s}, {draw.random()}", channel))
    if draw.random() < 0.5:
        daemon.back("engine", daemon.kill_child("engine"))
    organizer.start(organizer.create(f"After {moved_s}, {draw.random()}", channel))
