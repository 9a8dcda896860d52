"""How fast a tracker's scopes get into the journal: one that floods it is slowed, nobody else is."""

import asyncio
import threading
import time
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

# A start over many guilds commits a scope for each: so many seconds' worth pass at once.
BURST_S = 10.0
# A scope of more marks counts as several: a mark that changes something costs the engine some 30 us.
# Who marks 100,000 players every 5 seconds still keeps the pace of 1,000 scopes a second.
MARKS_OF_ONE = 25


class Pace:
    """One tracker's, for all its lives: ``per_s`` scopes a second, after a burst of some seconds' worth.

    It is the leaky bucket as a meter (ITU-T I.371, "GCRA"): ``_ahead_at`` is when all that was committed
    would have been, at an even pace. Any thread may ask.
    """

    def __init__(self, label: str, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.slowed_s = 0.0
        self._label, self._per_s, self._clock = label, per_s, clock
        self._ahead_at = clock()
        self._lock = threading.Lock()

    def turn(self, marks: int) -> float:
        """Count a scope; return for how long (s) its commit is to wait, 0 as a rule."""
        if not marks:  # it commits nothing
            return 0.0
        cost_s = max(1, -(-marks // MARKS_OF_ONE)) / self._per_s
        with self._lock:
            now = self._clock()
            wait_s = max(0.0, self._ahead_at - now - BURST_S)
            self._ahead_at = max(self._ahead_at, now) + cost_s
            if wait_s and not self.slowed_s:
                log.warning("tracker_floods", tracker=self._label, scopes_per_s=self._per_s)
            self.slowed_s += wait_s
        return wait_s

    def wait(self, marks: int, given_up: threading.Event) -> None:
        """Wait in this thread until a scope's turn has come, or the tracker's life is over."""
        if wait_s := self.turn(marks):
            given_up.wait(wait_s)

    async def wait_async(self, marks: int) -> None:
        """Wait in this event loop."""
        if wait_s := self.turn(marks):
            await asyncio.sleep(wait_s)
