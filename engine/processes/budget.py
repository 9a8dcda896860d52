"""How often a child may fail before its parent gives up (Erlang/OTP, "Supervisor Behaviour": intensity)."""

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class RestartBudget:
    """At most ``restarts`` in any ``period_s``, each later than the one before it."""

    restarts: int = 5
    period_s: float = 30.0
    first_delay_s: float = 0.1
    _spent: deque[float] = field(default_factory=deque)

    def spend(self, now: float) -> float | None:
        """Return how long to wait before the next restart (s), or None where the budget is used up.

        ``now`` is a monotonic time in seconds. The delays double; five of them fit well into the period, so
        that a child that fails at once does use it up.
        """
        while self._spent and now - self._spent[0] >= self.period_s:
            self._spent.popleft()
        if len(self._spent) >= self.restarts:
            return None
        self._spent.append(now)
        return float(self.first_delay_s * 2 ** (len(self._spent) - 1))
