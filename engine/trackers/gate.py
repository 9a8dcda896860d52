"""Lets one scope of a tracker be open at a time."""

import asyncio
import threading
import time
from collections import deque
from contextlib import suppress
from typing import NamedTuple


class ScopeAlreadyActive(RuntimeError):  # noqa: N818 - the reference's name for it
    """A scope of this tracker is open: leave it first, or wait for it with ``async with``."""


class Holder(NamedTuple):
    """A scope that is open, by its token: whoever holds the scope itself would keep it from being dropped."""

    token: object
    task: "asyncio.Task[object] | None"
    since: float


class _Waiting(NamedTuple):
    token: object
    task: "asyncio.Task[object] | None"
    loop: asyncio.AbstractEventLoop
    turn: "asyncio.Future[None]"


class Gate:
    """Any thread and any event loop may come to it; those who wait are let in in their order."""

    def __init__(self) -> None:
        # Reentrant: a scope may be dropped, and so leave, wherever the collector runs.
        self._lock = threading.RLock()
        self._holder: Holder | None = None
        self._waiting: deque[_Waiting] = deque()

    def holds(self, token: object) -> bool:
        """Say whether this scope is the one that is open."""
        holder = self._holder
        return holder is not None and holder.token is token

    def open_s(self) -> float | None:
        """Return for how long a scope has been open, None if none is."""
        holder = self._holder
        return None if holder is None else time.monotonic() - holder.since

    def enter(self, token: object) -> None:
        """Open a scope now. Raises ``ScopeAlreadyActive``."""
        with self._lock:
            if self._holder is not None:
                raise ScopeAlreadyActive("a scope of this tracker is open already; `async with` waits for it")
            self._let_in(token, _task())

    async def wait(self, token: object) -> None:
        """Open a scope when its turn has come. Raises ``ScopeAlreadyActive`` if it would wait for itself."""
        with self._lock:
            if self._holder is None:
                self._let_in(token, _task())
                return
            if self._holder.task is _task():
                raise ScopeAlreadyActive("this very task has a scope open: it would wait for ever")
            loop = asyncio.get_running_loop()
            waiting = _Waiting(token, _task(), loop, loop.create_future())
            self._waiting.append(waiting)
        try:
            await waiting.turn
        except BaseException:
            with self._lock:
                with suppress(ValueError):
                    self._waiting.remove(waiting)
                self.leave(token)  # its turn may have come together with what ended the wait
            raise

    def leave(self, token: object) -> None:
        """Close a scope, and let the next one in."""
        with self._lock:
            if self.holds(token):
                self._holder = None
                self._call_next()

    def clear(self) -> bool:
        """Close whatever scope is open; say whether one was."""
        with self._lock:
            holder = self._holder
            if holder is not None:
                self.leave(holder.token)
            return holder is not None

    def _let_in(self, token: object, task: "asyncio.Task[object] | None") -> None:
        self._holder = Holder(token, task, time.monotonic())

    def _call_next(self) -> None:
        while self._waiting and self._holder is None:
            waiting = self._waiting.popleft()
            self._let_in(waiting.token, waiting.task)
            try:
                waiting.loop.call_soon_threadsafe(_give, waiting.turn)
            except RuntimeError:  # its loop is closed
                self._holder = None


def _give(turn: "asyncio.Future[None]") -> None:
    if not turn.done():
        turn.set_result(None)


def _task() -> "asyncio.Task[object] | None":
    try:
        return asyncio.current_task()
    except RuntimeError:  # no event loop in this thread
        return None
