"""How a child shows its parent that it gets on: a byte a second into a pipe.

A process that is stopped, or hangs, neither ends nor says so. A child beats from the loop that its work
depends on, so that a thread which happens to live does not speak for one that does not.
"""

import os
from contextlib import suppress

_VARIABLE = "ROLLCALL_HEARTBEAT_FD"
_READ_BYTES = 65_536


class Heartbeat:
    """The parent's end, of one process."""

    def __init__(self) -> None:
        self._own_fd, self.child_fd = os.pipe()
        os.set_blocking(self._own_fd, False)
        os.set_blocking(self.child_fd, False)  # a parent that does not listen must not hold a child up

    @property
    def environment(self) -> dict[str, str]:
        """Return what the child's environment needs for ``beat``."""
        return {_VARIABLE: str(self.child_fd)}

    def started(self) -> None:
        """Leave the other end to the process that has been started."""
        os.close(self.child_fd)
        self.child_fd = -1

    def heard(self) -> bool:
        """Return whether the process has beaten since the last call."""
        try:
            return bool(os.read(self._own_fd, _READ_BYTES))
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Close what is open."""
        for fd in (self._own_fd, self.child_fd):
            if fd >= 0:
                os.close(fd)


def beat() -> None:
    """Say that the work goes on. Does nothing in a process that ``rollcall run`` did not start."""
    fd = os.environ.get(_VARIABLE)
    if fd is not None:
        with suppress(OSError):  # full, or nobody is there: the lifeline's business
            os.write(int(fd), b".")
