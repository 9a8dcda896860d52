"""Who looks after the actors: restarts within a budget, then gives up upwards (as Erlang/OTP's supervisors).

A guild or an event that spends its budget is quarantined: shown as such, its entries kept as dead letters,
everybody else untouched. A quarantine stands in the ledger, committed with the first entries that it
withholds: a process that started without it would take the guild's entries up again in the middle, with a
hole before them. Somebody has to lift it. Many quarantines within a short time are no fault of so many
guilds: the partition then ends without committing the last of them. A partition, a committer or a worker that
dies ends the process, so that its parent starts a fresh one.

There is no delay between an actor's restarts, unlike between those of processes. A fresh actor is given the
same entry again while its batch waits for it: a delay would hold up all guilds, and what time does heal, a
ledger that is busy or a journal that is away, is waited for elsewhere and spends no restart.
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


# How many quarantines may be so many actors' own fault.
QUARANTINES = Budget(5, 300_000)


class TooManyQuarantines(Exception):  # noqa: N818 - named for what it tells, like StorageBusy
    """So many actors are not to blame: something that they share is."""


class ChildFailed(NamedTuple):
    """Ask (bool) whether an actor that failed at the partition's time ``at`` may be restarted.

    Answered with ``TooManyQuarantines`` where that would be one too many.
    """

    name: str
    reason: str
    at: int


class Quarantined(NamedTuple):
    """Tell: an earlier life has quarantined an actor, at that time of the partition."""

    name: str
    reason: str
    at: int


class Lifted(NamedTuple):
    """Tell: an actor is out of quarantine, and has its whole budget again."""

    name: str


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

    def __init__(
        self,
        give_up: Callable[[str], None],
        budget: Budget = Budget(),  # noqa: B008 - frozen
        quarantines: Budget = QUARANTINES,
    ) -> None:
        super().__init__()
        self._give_up = give_up
        self._budget, self._quarantine_budget = budget, quarantines
        self._quarantines: deque[int] = deque()
        self._watched: dict[str, Watch] = {}
        self._failures: dict[str, deque[int]] = {}
        self._roster = Roster({}, {}, {})

    def on_receive(
        self, message: ChildFailed | Quarantined | Lifted | Watch | CheckChildren | Children
    ) -> object:
        """Take one of the messages above."""
        match message:
            case ChildFailed():
                return self._may_restart(message)
            case Quarantined():
                self._roster.quarantined[message.name] = message.reason
                self._quarantines.append(message.at)  # or each life could have as many anew
            case Lifted():
                self._roster.quarantined.pop(message.name, None)
                self._failures.pop(message.name, None)
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
        if _spent(failures, self._budget, failed.at):
            self._quarantine(failed)
            return False
        self._roster.restarts[failed.name] = self._roster.restarts.get(failed.name, 0) + 1
        log.warning("actor_restarted", actor=failed.name, reason=failed.reason)
        return True

    def _quarantine(self, failed: ChildFailed) -> None:
        if _spent(self._quarantines, self._quarantine_budget, failed.at):
            often = (
                f"{len(self._quarantines)} quarantines within {self._quarantine_budget.period_ms // 1000} s"
            )
            raise TooManyQuarantines(f"{often}, the last one of {failed.name} ({failed.reason})")
        self._roster.quarantined[failed.name] = failed.reason
        log.error("quarantined", actor=failed.name, reason=failed.reason)

    def _check(self) -> None:
        for name, ref, why in self._watched.values():
            if not ref.is_alive():
                self._give_up(f"{name} died: {why() or 'it never started, or was stopped'}")


def _spent(moments: deque[int], budget: Budget, at: int) -> bool:
    """Put a moment among those of the period, and say whether they are more than the budget."""
    moments.append(at)
    while moments[0] <= at - budget.period_ms:
        moments.popleft()
    # Not all are in order: partitions have times of their own, and so has each guild of a batch.
    return sum(abs(it - at) < budget.period_ms for it in moments) > budget.restarts
