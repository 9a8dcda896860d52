"""``kill -9`` of one process, or of the parent with all, at random moments of its life."""

import random
import time
from collections import deque

from tests.crash.stage import Stage
from tests.daemon.running import until

KILLED = ("engine", "daemon", "redis", "ingest")
# The parent gives a child up that ends more than five times in 30 s, unless it had worked for a while.
EARLY_DEATHS, EARLY_PERIOD_S = 3, 45.0
STEADY_S = {"engine": 1.05, "redis": 1.05, "ingest": 10.05, "daemon": 0.0}
LONGEST_S = {"engine": 1.8, "redis": 1.8, "ingest": 10.5, "daemon": 1.0}


class Killer:
    """Kills ``what``, one of ``KILLED``. ``moments`` draws when."""

    def __init__(self, stage: Stage, what: str, moments: random.Random) -> None:
        self._stage, self._what, self._moments = stage, what, moments
        self._early: deque[float] = deque()

    def strike(self) -> float:
        """Let it live until a random moment, kill it; return how many seconds it took to be well again.

        Now and then it is killed once before, so that the one that counts falls into a start.
        """
        steady_s = STEADY_S[self._what]
        early = steady_s > 0 and self._forgiven()
        if early and self._moments.random() < 0.5:
            self._hit()
        time.sleep(self._moments.uniform(0 if early else steady_s, 1.0 if early else LONGEST_S[self._what]))
        return self._stage.hurt(self._hit)

    def _forgiven(self) -> bool:
        """Say whether the parent forgives an early death now, and the one before it; count it if so."""
        now = time.monotonic()
        while self._early and now - self._early[0] > EARLY_PERIOD_S:
            self._early.popleft()
        if len(self._early) >= EARLY_DEATHS:
            return False
        self._early += (now, now)
        return True

    def _hit(self) -> None:
        daemon = self._stage.daemon
        if self._what == "daemon":
            daemon.kill()
            until(lambda: not daemon.orphans(), "the end of the children")
            daemon.program = daemon.start("run")
        else:
            daemon.back(self._what, daemon.kill_child(self._what))
