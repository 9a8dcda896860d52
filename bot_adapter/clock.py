"""Epoch milliseconds that never run back: a monotonic clock, anchored to the wall clock and led after it."""

import time
from collections.abc import Callable

# How fast the wall clock is followed: 0.5 ms a second, the rate at which NTP itself leads a clock. Whatever
# the wall clock does, no duration is off by more than a twentieth of a percent.
SLEW_PPM = 500

NS_PER_MS = 1_000_000
PPM = 1_000_000

NanosecondSource = Callable[[], int]


def monotonic_ns() -> int:
    """Return a clock that never runs back and, where there is one, goes on while the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic_ns() if clock is None else time.clock_gettime_ns(clock)


def slew(offset_ns: int, elapsed_ns: int) -> int:
    """Return how far to go towards the wall clock, ``offset_ns`` away, over ``elapsed_ns`` of true time."""
    limit = elapsed_ns * SLEW_PPM // PPM
    return max(-limit, min(limit, offset_ns))


class AnchoredClock:
    """The ingest's clock: what it says is stamped on every journal entry as ``at``.

    ``not_before`` is the last ``at`` of the journal, in ms: a wall clock that was set back while nothing ran
    cannot stamp earlier than what is already written. For use from one thread.
    """

    def __init__(
        self,
        not_before: int = 0,
        wall: NanosecondSource = time.time_ns,
        monotonic: NanosecondSource = monotonic_ns,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._anchored_at = monotonic()
        self._anchor = max(wall(), not_before * NS_PER_MS)
        self._last = 0

    def now(self) -> int:
        """Return the moment, in ms UTC; never less than what was returned before."""
        at = (self._anchor + self._monotonic() - self._anchored_at) // NS_PER_MS
        self._last = max(self._last, at)
        return self._last

    @property
    def ahead_ms(self) -> int:
        """How far this clock stands before the wall clock (negative: behind it)."""
        return -self._offset_ns(self._monotonic()) // NS_PER_MS

    def follow(self) -> None:
        """Go a little towards the wall clock. Called about once a second."""
        here = self._monotonic()
        elapsed = here - self._anchored_at
        self._anchor += elapsed + slew(self._offset_ns(here), elapsed)
        self._anchored_at = here

    def _offset_ns(self, here: int) -> int:
        return self._wall() - (self._anchor + here - self._anchored_at)
