"""How a batch goes to several actors at once, and what comes back."""

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

from engine.domain.effects import Effect
from engine.storage.protocols import StorageError

# What an actor is to take, in order; an item's third part is the record that it came from, or None.
Share = Sequence[tuple[Any, ...]]


class Round:
    """A batch on its way through several actors: collects their effects and failures, and wakes who waits."""

    def __init__(self, children: int) -> None:
        self.failed: dict[int, str] = {}
        self.unknown: dict[int, StorageError] = {}
        self.effects: list[tuple[int, list[Effect]]] = []  # by child that took its share, each one's in order
        # No lock: appending, storing and counting are each one step of the interpreter.
        self._missing = iter(range(children - 1, -1, -1))
        self._complete = threading.Event()

    def done(self, key: int, effects: list[Effect]) -> None:
        """Take one child's effects."""
        self.effects.append((key, effects))
        self._count()

    def fail(self, key: int, reason: str) -> None:
        """Note that a child's actor did not take its share."""
        self.failed[key] = reason
        self._count()

    def not_known(self, key: int, error: StorageError) -> None:
        """Note that the ledger could not tell a child's state: its actor lives, and has taken nothing."""
        self.unknown[key] = error
        self._count()

    def answered(self) -> set[int]:
        """Return the children that have answered, one way or another."""
        return {key for key, _ in self.effects.copy()} | {*self.failed.copy(), *self.unknown.copy()}

    def wait(self, timeout_s: float) -> bool:
        """Wait for every child; False if time ran out."""
        return self._complete.wait(timeout_s)

    def _count(self) -> None:
        if next(self._missing) == 0:
            self._complete.set()


class Take(NamedTuple):
    """Take a share of a batch, and answer to the round."""

    share: Share
    round: Round


class Describe(NamedTuple):
    """Ask for the whole state, as plain values."""
