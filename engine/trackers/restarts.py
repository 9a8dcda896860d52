"""How often a tracker may fail before it stays dead, and how long it waits in between."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

LIMIT_S = 30.0


@dataclass(slots=True)
class Restarts:
    """At most ``times`` in any ``period_s`` (Erlang/OTP, "Supervisor Behaviour": intensity).

    The delays double from ``first_delay_s`` on, each cut at random by up to a half, so that trackers that
    failed of one cause do not come back in step. Five of them take 8 to 16 seconds: a short outage of what a
    tracker asks is survived, and one that always fails does use its restarts up.
    """

    times: int = 5
    period_s: float = 30.0
    first_delay_s: float = 0.5
    random_share: Callable[[], float] = random.random
    _spent: deque[float] = field(default_factory=deque)

    def spend(self, now_s: float) -> float | None:
        """Return how long to wait before the next start (s), None if there is none. ``now_s``: monotonic."""
        while self._spent and now_s - self._spent[0] >= self.period_s:
            self._spent.popleft()
        if len(self._spent) >= self.times:
            return None
        self._spent.append(now_s)
        return self._cut(self.first_delay_s * 2.0 ** (len(self._spent) - 1))

    def wait(self) -> float:
        """Return how long to wait after a failure that was not the tracker's (s)."""
        return self._cut(self.first_delay_s * 4)

    def _cut(self, whole_s: float) -> float:
        return min(whole_s, LIMIT_S) * (1 - self.random_share() / 2)
