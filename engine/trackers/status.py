"""What there is to know of a tracker that runs, or does not."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from engine.domain.views import iso


class TrackerState(StrEnum):
    """Running: also between two runs. Waiting: it failed, and is started again soon.

    Blocked: its thread does not go on. Dead: it failed too often. Not loaded: it could not be made. The marks
    of these three are dropped.
    """

    RUNNING = "running"
    WAITING = "waiting"
    BLOCKED = "blocked"
    DEAD = "dead"
    STOPPED = "stopped"
    NOT_LOADED = "not_loaded"


@dataclass(slots=True)
class Counts:
    """What one tracker did. ``run_s``: how long all its runs took; ``skipped``: runs that had no room.

    ``last_run_at``: when its last run began (ms UTC), ``last_run_s``: how long the last one took that ended.
    """

    runs: int = 0
    run_s: float = 0.0
    skipped: int = 0
    failures: int = 0
    restarts: int = 0
    leaked_scopes: int = 0
    last_run_at: int | None = None
    last_run_s: float | None = None


@dataclass(frozen=True, slots=True)
class TrackerStatus:
    """A tracker at one moment.

    ``interval_s``: of a polling one. ``running_s``: for how long a run has been under way, ``overdue``: that
    is longer than allowed. ``active``, ``inactive``: how many of the subjects it reports on it holds so now.
    ``slowed_s``: for how long its commits have had to wait.
    """

    label: str
    class_name: str
    mode: str | None
    interval_s: float | None
    state: TrackerState
    counts: Counts
    running_s: float | None = None
    overdue: bool = False
    last_error: str = ""
    active: int = 0
    inactive: int = 0
    scope_open_s: float | None = None
    slowed_s: float = 0.0

    def described(self) -> dict[str, Any]:
        """Return it as plain values: moments ISO 8601, keys camelCase, units in the keys."""
        counts = self.counts
        return {
            "label": self.label,
            "class": self.class_name,
            "mode": self.mode,
            "intervalS": self.interval_s,
            "state": str(self.state),
            "lastRunAt": None if counts.last_run_at is None else iso(counts.last_run_at),
            "lastRunS": counts.last_run_s,
            "runningS": self.running_s,
            "overdue": self.overdue,
            "runs": counts.runs,
            "runS": counts.run_s,
            "skippedRuns": counts.skipped,
            "failures": counts.failures,
            "restarts": counts.restarts,
            "leakedScopes": counts.leaked_scopes,
            "lastError": self.last_error or None,
            "active": self.active,
            "inactive": self.inactive,
            "scopeOpenS": self.scope_open_s,
            "slowedS": self.slowed_s,
        }
