"""What a distributor and the deliverer know of each other, and what others may see of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

import structlog

from engine.domain.deliveries import Delivery

log = structlog.get_logger(__name__)


class Outcome(NamedTuple):
    """How a delivery ended for good. ``detail``: why it failed."""

    ok: bool
    detail: str = ""


# Takes what the outbox calls it. Called on the deliverer's thread, never raises.
Settle: TypeAlias = Callable[[str, Outcome], None]


class Deliveries(Protocol):
    """Where the deliveries come from. What has no outcome in the ledger comes again, a restart included."""

    def pending(self, kind: str, limit: int) -> list[Delivery]:
        """Return up to ``limit`` deliveries of a kind without an outcome, oldest first."""
        ...

    def count(self, kind: str) -> int:
        """Return how many deliveries of a kind have no outcome."""
        ...


class Distributor(Protocol):
    """Brings items to where they are wanted. Called on the deliverer's thread, inside its event loop."""

    def take(self, items: Sequence[Any], settle: Settle) -> None:
        """Deliver items of the one type that it is for, at once or later, and tell how each ended.

        Raises whatever is in the way: then it has taken none, and they will come again.
        """
        ...

    async def close(self) -> None:
        """Give up what is under way; it comes again with the next life."""
        ...


@dataclass(slots=True)
class DeliveryStats:
    """Counters of one life that any thread may read. ``retries``: tries that failed and were not the last.

    ``waiting``: by kind, how many had no outcome at the last look. ``troubles``: what is in the way now.
    ``of``: what is delivered, for the log.
    """

    delivered: int = 0
    failed: int = 0
    retries: int = 0
    waiting: dict[str, int] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)
    of: str = "badges"

    @property
    def pending(self) -> int:
        """Return how many had no outcome at the last look, of all kinds."""
        return sum(self.waiting.copy().values())


class Trouble:
    """Something that is in the way or is not: told when it comes and when it has passed, not in between."""

    def __init__(self, stats: DeliveryStats, name: str) -> None:
        self._troubles, self._of, self._name = stats.troubles, stats.of, name

    def note(self, reason: str) -> None:
        """Say what is in the way; nothing where nothing is."""
        known = self._troubles.get(self._name, "")
        if reason:
            self._troubles[self._name] = reason
        else:
            self._troubles.pop(self._name, None)
        if reason and not known:
            log.warning("deliveries_in_trouble", of=self._of, what=self._name, reason=reason)
        elif known and not reason:
            log.info("deliveries_out_of_trouble", of=self._of, what=self._name)
