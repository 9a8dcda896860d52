"""The wall clock and the disk as the daemon's processes find them, to be set while they run."""

import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


class Dials:
    """``environ`` is for the processes that are to believe them. Needs a C compiler: see ``compiler``."""

    def __init__(self, folder: Path) -> None:
        self._file, library = folder / "dials", folder / "dials.so"
        self.set()
        subprocess.run(
            [compiler(), "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"], check=True
        )
        self.environ = {"LD_PRELOAD": str(library), "ROLLCALL_DIALS": str(self._file)}

    def set(self, *, moved_s: int = 0, sync_ms: int = 0) -> None:
        """Move the clock to so many seconds from the true time, and have each sync take so much longer."""
        self._file.touch()
        with self._file.open("r+b") as file:  # in place: the processes have it mapped
            file.write(struct.pack("=qq", moved_s, sync_ms))


def compiler() -> str | None:
    """Return this machine's C compiler."""
    return shutil.which("cc") or shutil.which("gcc")
