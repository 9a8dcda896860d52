"""A few threads for calls that may block.

Unlike the standard library's they are daemons: a call that never returns does not keep a process from ending.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, NamedTuple


class CallFailedError(Exception):
    """A call ended with what would end its event loop too; the text says what it was."""


class _Call(NamedTuple):
    function: Callable[[Any], Any]
    argument: Any
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"


class Threads:
    """At most ``count`` of them, each made when there is work that no other is free for."""

    def __init__(self, name: str, count: int) -> None:
        self._name, self._count = name, count
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._under_way = 0  # only touched in the event loop

    async def call(self, function: Callable[[Any], Any], argument: Any) -> Any:
        """Call a function in one of the threads; return what it returns, raise what it raises."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._under_way += 1
        future.add_done_callback(self._ended)
        if self._under_way > len(self._threads) and len(self._threads) < self._count:
            self._add()
        self._calls.put(_Call(function, argument, loop, future))
        return await future

    def stop(self) -> None:
        """Have each thread end after what it is doing."""
        for _ in self._threads:
            self._calls.put(None)

    def _ended(self, _future: "asyncio.Future[Any]") -> None:
        self._under_way -= 1

    def _add(self) -> None:
        name = f"{self._name}-{len(self._threads)}"
        self._threads.append(threading.Thread(target=self._work, name=name, daemon=True))
        self._threads[-1].start()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            result: Any = None
            error: BaseException | None = None
            try:
                result = call.function(call.argument)
            except Exception as raised:  # noqa: BLE001 - it is the caller's
                error = raised
            except BaseException as raised:  # noqa: BLE001 - one listener's SystemExit is not the process's
                error = CallFailedError(f"{type(raised).__name__}: {raised}")
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                call.loop.call_soon_threadsafe(_settle, call.future, result, error)


def _settle(future: "asyncio.Future[Any]", result: Any, error: BaseException | None) -> None:
    if future.done():  # whoever waited has given up
        return
    if isinstance(error, StopIteration):  # a future does not take it
        error = CallFailedError("StopIteration")
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
