"""Who looks after the actors: restarts within a budget, then gives up upwards (as Erlang/OTP's supervisors).

A guild that spends its budget is quarantined: shown as such, its entries kept as dead letters, everybody else
untouched. A partition or a committer that dies ends the process, so that its parent starts a fresh one.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import pykka
import structlog

from engine.storage.protocols import StorageError

log = structlog.get_logger(__name__)


def told(error: BaseException) -> str:
    """Say in one line what ended an actor; storage's own words are for people already."""
    text = str(error) if isinstance(error, StorageError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())


class Budget(NamedTuple):
    """At most ``restarts`` within ``period_ms``."""

    restarts: int = 5
    period_ms: int = 30_000


class ChildFailed(NamedTuple):
    """Ask (bool) whether a guild's actor that failed at the partition's time ``at`` may be restarted."""

    name: str
    reason: str
    at: int


class Watch(NamedTuple):
    """Tell: look after an actor that must never die. ``why`` says in a line what it died of."""

    name: str
    ref: "pykka.ActorRef[Any]"
    why: Callable[[], str]


class CheckChildren(NamedTuple):
    """Tell: look whether the watched actors live. pykka tells nobody when ``on_start`` fails."""


class Children(NamedTuple):
    """Ask (Roster): how the children have fared."""


class Roster(NamedTuple):
    """Restarts by child so far, and the reason for each quarantine."""

    restarts: dict[str, int]
    quarantined: dict[str, str]
    last_failure: dict[str, str]


class Supervisor(pykka.ThreadingActor):
    """Decides about failed children; time comes with the failure, so that a replay decides the same."""

    use_daemon_thread = True

    def __init__(self, give_up: Callable[[str], None], budget: Budget = Budget()) -> None:  # noqa: B008 - frozen
        super().__init__()
        self._give_up = give_up
        self._budget = budget
        self._watched: dict[str, Watch] = {}
        self._failures: dict[str, deque[int]] = {}
        self._roster = Roster({}, {}, {})

    def on_receive(self, message: ChildFailed | Watch | CheckChildren | Children) -> object:
        """Take one of the four messages above."""
        match message:
            case ChildFailed():
                return self._may_restart(message)
            case Watch():
                self._watched[message.name] = message
            case CheckChildren():
                self._check()
            case Children():
                return Roster(*map(dict, self._roster))  # type: ignore[arg-type]
        return None

    def _may_restart(self, failed: ChildFailed) -> bool:
        self._roster.last_failure[failed.name] = failed.reason
        if failed.name in self._roster.quarantined:
            return False
        failures = self._failures.setdefault(failed.name, deque())
        failures.append(failed.at)
        while failures[0] <= failed.at - self._budget.period_ms:
            failures.popleft()
        if len(failures) > self._budget.restarts:
            self._roster.quarantined[failed.name] = failed.reason
            log.error("quarantined", actor=failed.name, reason=failed.reason)
            return False
        self._roster.restarts[failed.name] = self._roster.restarts.get(failed.name, 0) + 1
        log.warning("actor_restarted", actor=failed.name, reason=failed.reason)
        return True

    def _check(self) -> None:
        for name, ref, why in self._watched.values():
            if not ref.is_alive():
                self._give_up(f"{name} died: {why() or 'it never started, or was stopped'}")
