"""Whether a thread gets on with its work: what ``/healthz`` answers by."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")

# No round of actors and no try of a commit takes nearly as long: who is silent for this long will stay so.
# Longer than a partition waits for an actor (``children``), since that says which one it is.
STUCK_S = 75.0


class Pulse:
    """One thread beats it, any may read it. It rests while there is nothing to do.

    Waiting for the journal or the ledger is no silence: who waits looks again and again, and beats each time.
    """

    __slots__ = ("_beat_at", "_clock")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._beat_at: float | None = None

    def beat(self) -> None:
        """Say that the work goes on."""
        self._beat_at = self._clock()

    def rest(self) -> None:
        """Say that there is no work."""
        self._beat_at = None

    def along(self, items: Iterable[_T]) -> Iterator[_T]:
        """Yield the items of long work, with a beat for each."""
        for it in items:
            self.beat()
            yield it

    def silent_s(self) -> float:
        """Return for how long work has been under way without a beat (s); 0.0 at rest."""
        beat_at = self._beat_at
        return 0.0 if beat_at is None else max(0.0, self._clock() - beat_at)
