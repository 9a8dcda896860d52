"""The wall clock of the daemon's processes, to be set while they run. The simulator keeps the true one."""

import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
HOUR_S, DAY_S = 3_600, 86_400


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
