"""What a committer does for the ledger after a commit: wipes where someone was, removes what is old."""

import structlog

from engine.domain.partition import PartitionState
from engine.domain.rules import Rules
from engine.storage.protocols import Ledger, StorageError

log = structlog.get_logger(__name__)

# All in the partition's time.
PRUNE_EVERY_MS = 3_600_000
AGAIN_MS = 10_000  # between two tries of what could not be done
NEVER = 2**63


class House:
    """Nothing here is a promise of a commit: what cannot be done now is done later, or by the next life."""

    def __init__(self, ledger: Ledger, rules: Rules) -> None:
        self._ledger, self._rules = ledger, rules
        self._wipe_due_at = 0  # the life before may have ended right after it forgot someone
        self._prune_due_at = 0

    def keep(self, state: PartitionState, *, forgot: bool) -> None:
        """Do what is due, as of a partition's state. ``forgot``: someone was forgotten just now."""
        if forgot:
            self._wipe_due_at = 0
        if state.forgotten and state.now >= self._wipe_due_at:
            self._wipe(state)
        if self._rules.retention_ms and state.now >= self._prune_due_at:
            self._prune(state.now)

    def _wipe(self, state: PartitionState) -> None:
        self._wipe_due_at = state.now + AGAIN_MS
        try:
            if self._ledger.wipe(state.forgotten):
                self._wipe_due_at = NEVER
        except StorageError as error:
            log.warning("wipe_later", reason=str(error))

    def _prune(self, now: int) -> None:
        """Remove a portion, the next one after the next commit. The horizon moves by whole hours."""
        hour = now - now % PRUNE_EVERY_MS
        try:
            more = self._ledger.prune(self._rules.kept(hour).since)
        except StorageError as error:
            log.warning("prune_later", reason=str(error))
            self._prune_due_at = now + AGAIN_MS
        else:
            self._prune_due_at = now if more else hour + PRUNE_EVERY_MS
