"""The wall clock of the daemon's processes, to be set while they run. The simulator keeps the true one."""

import random
import shutil
import struct
import subprocess
from pathlib import Path

from tests.crash.stage import Stage
from tests.daemon.programme import Organizer
from tests.daemon.quiet_guild import VOICE
from tests.daemon.truth import APART_MS

SOURCE = Path(__file__).with_suffix(".c")
HOUR_S, DAY_S = 3_600, 86_400
MOVES_S = (-DAY_S, -HOUR_S, HOUR_S, DAY_S)


class MovedClock:
    """``environ`` is for the processes that are to believe it. Needs a C compiler: see ``compiler``."""

    def __init__(self, folder: Path) -> None:
        self._file, library = folder / "moved", folder / "moved_clock.so"
        self.set(0)
        subprocess.run(
            [compiler(), "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"], check=True
        )
        self.environ = {"LD_PRELOAD": str(library), "ROLLCALL_MOVED_CLOCK": str(self._file)}

    def set(self, moved_s: int) -> None:
        """Move the clock to so many seconds from the true time, at once."""
        self._file.touch()
        with self._file.open("r+b") as file:  # in place: the processes have it mapped
            file.write(struct.pack("=q", moved_s))


def compiler() -> str | None:
    """Return this machine's C compiler."""
    return shutil.which("cc") or shutil.which("gcc")


def move(clock: MovedClock, stage: Stage, draw: random.Random) -> None:
    """Set the clock an hour or a day before or behind the true one, ask something of the engine, and kill it.

    What the engine says itself, a request here, must not take the partition's time to where its clock stands.
    """
    daemon, moved_s = stage.daemon, draw.choice(MOVES_S)
    clock.set(moved_s)
    stage.apart_ms = APART_MS  # its own clock follows at half a millisecond a second
    guild = draw.choice(stage.city.world())
    channel = next(it["id"] for it in guild["channels"] if it["type"] == VOICE)
    organizer = Organizer(daemon, guild["id"])
    organizer.start(organizer.create(f"At {moved_s}, {draw.random()}", channel))
    if draw.random() < 0.5:
        daemon.back("engine", daemon.kill_child("engine"))
    organizer.start(organizer.create(f"After {moved_s}, {draw.random()}", channel))
