"""No child outlives the parent, however that ends.

On Linux the kernel ends a child with its parent. Everywhere, the Python children hold the reading end of a
pipe whose writing end only the parent has: its end of file is the parent's end. Both end the child at once
(SIGKILL): the parent is gone without an order, a new one may start at any moment, and a crash loses nothing.
"""

import ctypes
import os
import select
import signal
import sys
import threading
from types import TracebackType
from typing import NoReturn, Self

_VARIABLE = "ROLLCALL_LIFELINE_FD"
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Lifeline:
    """The parent's end of the pipe. As long as it is open, the children live."""

    def __init__(self) -> None:
        self.child_fd, self._own_fd = os.pipe()

    @property
    def environment(self) -> dict[str, str]:
        """Return what a child's environment needs for ``watch_parent``."""
        return {_VARIABLE: str(self.child_fd)}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.child_fd)
        os.close(self._own_fd)


def watch_parent() -> None:
    """End this process with its parent. Does nothing in a process that ``rollcall run`` did not start."""
    fd = os.environ.pop(_VARIABLE, None)
    if fd is None:
        return
    _end_with_parent()
    threading.Thread(target=_wait_for_end, args=(int(fd),), name="lifeline", daemon=True).start()


def become(command: list[str]) -> NoReturn:
    """Turn this process into ``command``, which is not Python; its tie to the parent outlasts that."""
    fd = os.environ.pop(_VARIABLE, None)
    if fd is not None:
        _end_with_parent()
        if select.select([int(fd)], [], [], 0)[0]:  # it ended before the kernel was told
            sys.exit(1)
        os.close(int(fd))
    os.execv(command[0], command)  # noqa: S606  # no shell, and the command is ours


def _wait_for_end(fd: int) -> None:
    os.read(fd, 1)
    os.kill(os.getpid(), signal.SIGKILL)


def _end_with_parent() -> None:
    """Ask the kernel for SIGKILL at the end of the thread that started us: the parent's main thread."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
