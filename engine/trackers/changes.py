"""What has changed in the engine, for those who follow it in an event loop of their own."""

import asyncio
import threading
import weakref
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Self, TypeAlias

from engine.domain.guild import GuildState
from engine.trackers.source import Source

# Of a guild, what somebody follows of it; None: nothing. Two are compared with ``==``.
Sight: TypeAlias = object | None
Look: TypeAlias = Callable[[GuildState], Sight]

IN_A_ROW = 32


class Changes(AsyncIterator[int]):
    """Guilds of which something that ``look`` shows has changed, oldest change first; endless.

    It begins with those that ``first`` returns, which is asked after the subscription: nothing is missed.
    Changes of one guild that come faster than they are taken are one: so there wait never more than there are
    guilds, and whoever looks then sees the latest. For use in one event loop.
    """

    def __init__(self, source: Source, look: Look, first: Callable[[], Iterable[int]]) -> None:
        self._source, self._look = source, look
        self._loop = asyncio.get_running_loop()
        self._called = asyncio.Event()
        self._lock = threading.Lock()
        self._pending: OrderedDict[int, None] = OrderedDict()
        self._seen: dict[int, Sight] = {}
        self._in_a_row = 0
        self._first: set[int] = set()
        self._end: Callable[[], None] | None = source.subscribe(_weakly(self._changed))
        self._first.update(first())
        for guild_id in self._first:
            self._changed(guild_id)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        """Wait for the next guild. Raises StopAsyncIteration once closed."""
        while self._end is not None:
            await self._let_others_go_on()
            guild_id = self._take()
            if guild_id is None:
                await self._called.wait()
            elif self._is_new(guild_id):
                return guild_id
        raise StopAsyncIteration

    async def _let_others_go_on(self) -> None:
        """Give this loop's other tasks a turn: in a flood of changes there is always a next one."""
        self._in_a_row += 1
        if self._in_a_row >= IN_A_ROW:
            self._in_a_row = 0
            await asyncio.sleep(0)

    async def aclose(self) -> None:
        """Follow no more."""
        self.close()

    def close(self) -> None:
        """Follow no more."""
        self._unsubscribe()
        self._called.set()

    def _unsubscribe(self) -> None:
        end, self._end = self._end, None
        if end is not None:
            end()

    def __del__(self) -> None:
        self._unsubscribe()  # whoever went through it has left its loop: there is nothing to warn of

    def _changed(self, guild_id: int) -> None:
        """Take note, on a thread of the engine."""
        if guild_id in self._pending:  # what is there now is seen when it is taken
            return
        with self._lock:
            call = not self._pending
            self._pending[guild_id] = None
        if call:
            try:
                self._loop.call_soon_threadsafe(self._called.set)
            except RuntimeError:  # the loop is closed, and whoever followed is gone
                self._unsubscribe()

    def _take(self) -> int | None:
        with self._lock:
            if self._pending:
                return self._pending.popitem(last=False)[0]
        self._called.clear()
        with self._lock:
            if self._pending:  # it came in between, and may have called before the call was taken back
                self._called.set()
        return None

    def _is_new(self, guild_id: int) -> bool:
        state = self._source.guild(guild_id)
        sight = None if state is None else self._look(state)
        before = self._seen.get(guild_id)
        if sight is None:
            self._seen.pop(guild_id, None)
        else:
            self._seen[guild_id] = sight
        first = guild_id in self._first
        self._first.discard(guild_id)
        return first or sight != before


def _weakly(changed: Callable[[int], None]) -> Callable[[int], None]:
    """Return what calls a method as long as others hold its object: the engine must not be who keeps it."""
    method = weakref.WeakMethod(changed)

    def call(guild_id: int) -> None:
        held = method()
        if held is not None:
            held(guild_id)

    return call
