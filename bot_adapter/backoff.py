"""How long to wait before the next try: at once first, then twice as long each time, up to a limit."""

import random
from collections.abc import Callable


class Backoff:
    """Delays in seconds: 0, then ``base_s`` doubling up to ``limit_s``, each cut at random by up to a half.

    The random part keeps many clients from coming back in step after one outage.
    """

    def __init__(
        self, base_s: float, limit_s: float, *, random_share: Callable[[], float] = random.random
    ) -> None:
        self._base_s = base_s
        self._limit_s = limit_s
        self._random_share = random_share
        self._tries = 0

    def next_delay_s(self) -> float:
        """Count one more failed try and return how long to wait after it."""
        self._tries += 1
        if self._tries == 1:
            return 0.0
        # The exponent is capped: after a day of tries 2.0**n would overflow.
        whole = min(self._limit_s, self._base_s * 2.0 ** min(self._tries - 2, 32))
        return whole * (1 - self._random_share() / 2)

    def reset(self) -> None:
        """Start again: the last try held."""
        self._tries = 0
