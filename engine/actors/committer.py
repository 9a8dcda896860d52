"""The actor that makes a partition's batches durable, one transaction each, while the next is stepped."""

import time
from collections.abc import Callable
from queue import Queue
from typing import Any, NamedTuple

import pykka
import structlog

from engine.actors.aftermath import Aftermath, active_events
from engine.actors.durations import Durations
from engine.actors.house import House
from engine.actors.pulse import Pulse
from engine.actors.reconciling import Reconciler
from engine.actors.supervisor import told
from engine.actors.uncertainty import Uncertainty
from engine.domain.effects import ForgetMember, GrantRole, PostMessage, SettleOutbox
from engine.domain.event_effects import AwardBadges
from engine.domain.partition import PartitionState
from engine.domain.rules import Rules
from engine.domain.tracker_effects import DisconnectPlayer
from engine.storage.protocols import Commit, StorageBusy, Stores

log = structlog.get_logger(__name__)

COMMITS_AHEAD = 8  # batches that may wait for the ledger: then the partition waits, and the journal fills
EFFECTS_TOGETHER = 200_000  # of the batches that one transaction may hold
RETRY_S = (0.05, 0.1, 0.25, 0.5, 1.0)  # between tries of a commit while the ledger is locked or full
TRIM_EVERY_MS = 60_000
_FOR_OUTBOX = {PostMessage, GrantRole, AwardBadges, DisconnectPlayer}
OUTBOX_AGAIN_MS = 60_000
OUTBOX_AT_ONCE = 1_000  # Discord takes some ten role grants a second and guild at best
OUTBOX_REFILL_AT = OUTBOX_AT_ONCE // 2


class Drained(NamedTuple):
    """Ask: answered once every commit told before is in the ledger."""


class Compare(NamedTuple):
    """Tell: go on with the check of the mirror."""


class CommitterStats:
    """Counters that others may read at any time."""

    def __init__(self) -> None:
        self.commits = 0
        self.effects = 0
        self.commit_ms = 0.0
        self.retries = 0
        self.busy_since: float | None = None
        self.busy_reason = ""
        self.mirror_rebuilds = 0
        self.mirror_stale = True
        self.trimmed = 0
        self.cursor = ""
        self.death = ""  # what it died of
        self.pulse = Pulse()
        self.durations = Durations()
        self.uncertainty = Uncertainty()


class Committer(pykka.ThreadingActor):
    """Commits, then mirrors, then sends the outbox. Only the first is a promise; the others catch up.

    Batches that have come while it was at work go into one transaction: what a transaction costs are the
    pages that it touches, and the deeper the backlog, the more of its updates share a page.
    """

    use_daemon_thread = True

    def __init__(  # noqa: PLR0913, PLR0917 - all that it works with, each by its name
        self,
        stores: Stores,
        stopping: Callable[[float], bool],
        stats: CommitterStats | None = None,
        aftermath: Aftermath | None = None,
        rules: Rules = Rules(),  # noqa: B008 - frozen
        reconciler: Reconciler | None = None,
    ) -> None:
        super().__init__()
        self._ledger, self._journal = stores.ledger, stores.journal
        self._live, self._outbox = stores.live, stores.outbox
        self._stopping = stopping
        self._aftermath = aftermath or Aftermath()
        self.stats = stats or CommitterStats()
        self._mirrored: str | None = None  # the cursor the mirror stands at, as far as we know
        self._gathered: list[Commit] = []
        self._gave_up = False
        self._forgotten: dict[str, int] = {}  # what the last commit forgot
        self._outbox_due_at = 0
        self._sent: set[str] = set()  # to the ingest; no outcome is known yet
        self._more_waits = False
        self._trim_due_at = 0
        self._reconciler = reconciler
        self._state: PartitionState | None = None  # of the last commit
        self._house = House(stores.ledger, rules)

    @staticmethod
    def _create_actor_inbox() -> Any:
        return Queue(maxsize=COMMITS_AHEAD)

    def on_receive(self, message: Commit | Drained | Compare) -> None:
        """Make one batch durable (tell), answer that all before are (ask), or check the mirror (tell)."""
        self.stats.pulse.beat()
        try:
            self._take(message)
            self.stats.pulse.rest()
        except BaseException as error:
            self.stats.death = told(error)
            if isinstance(message, Drained):
                self.stop()  # a failed ask alone would leave an actor that has lost its batches
            raise

    def _take(self, message: Commit | Drained | Compare) -> None:
        if not isinstance(message, Commit):
            self._commit_gathered()
            if isinstance(message, Compare) and not self._gave_up:
                self._compare()
            return
        self._gathered.append(message)
        together = sum(len(commit.effects) for commit in self._gathered)
        if self.actor_inbox.empty() or together >= EFFECTS_TOGETHER:
            self._commit_gathered()  # else with the next message, which is at hand

    def _commit_gathered(self) -> None:
        if not self._gathered or self._gave_up:
            return
        commit = self._gathered[0] if len(self._gathered) == 1 else _together(self._gathered)
        self._gathered = []
        if self._commit(commit):
            self._after(commit)
        else:
            self._gave_up = True  # stopping with a busy ledger: the journal keeps these batches and the next

    def _commit(self, commit: Commit) -> bool:
        started = time.perf_counter()
        tries = 0
        while not self._try(commit):
            if self._stopping(RETRY_S[min(tries, len(RETRY_S) - 1)]):
                return False
            tries += 1
        stats = self.stats
        stats.commits += 1
        stats.effects += len(commit.effects)
        took_s = time.perf_counter() - started
        stats.commit_ms += took_s * 1000
        stats.durations.count(took_s)
        stats.cursor = commit.state.cursor
        return True

    def _try(self, commit: Commit) -> bool:
        self.stats.pulse.beat()
        try:
            self._forgotten = self._ledger.commit(commit)
        except StorageBusy as error:
            self.stats.retries += 1
            self.stats.busy_reason = str(error)
            if self.stats.busy_since is None:
                self.stats.busy_since = time.monotonic()
                log.warning("ledger_busy", reason=str(error))
            return False
        if self.stats.busy_since is not None:
            log.info("ledger_free", after_s=round(time.monotonic() - self.stats.busy_since, 3))
            self.stats.busy_since = None
        return True

    def _after(self, commit: Commit) -> None:
        kinds = set(map(type, commit.effects))
        self.stats.uncertainty.count(commit.effects, kinds)
        try:
            self._mirror(commit)
            self._send_outbox(commit, kinds)
            self._trim(commit)
        except (ConnectionError, StorageBusy) as error:
            self._mirrored, self._outbox_due_at, self.stats.mirror_stale = None, 0, True
            log.debug("mirror_later", reason=str(error))
        self._aftermath.take(commit, kinds, self._ledger, self._forgotten)
        self._house.keep(commit.state, forgot=ForgetMember in kinds)

    def _mirror(self, commit: Commit) -> None:
        self._state, cursor = commit.state, commit.state.cursor
        if self._mirrored is None or not self._live.mirror(commit.before, cursor, commit.effects):
            self._rebuild(commit.state)
        self._mirrored, self.stats.mirror_stale = cursor, False

    def _rebuild(self, state: PartitionState) -> None:
        self._mirrored, self.stats.mirror_stale = None, True
        along = self.stats.pulse.along
        sessions, events = along(self._ledger.open_sessions()), along(active_events(self._ledger))
        self._live.rebuild(state.cursor, sessions, events)
        self._outbox_due_at = 0  # what is gone from Redis may be the outbox, too
        if state.forgotten:
            self._outbox.withdraw(state.forgotten)
        self.stats.mirror_rebuilds += 1
        self._mirrored, self.stats.mirror_stale = state.cursor, False

    def _compare(self) -> None:
        """Go on with a check of the mirror, until the next commit waits."""
        if self._reconciler is not None:
            self._reconciler.go_on(self._stands, self._rebuild, busy=self._busy)

    def _stands(self) -> PartitionState:
        self._state = self._state or self._ledger.load_partition()
        return self._state

    def _busy(self) -> bool:
        self.stats.pulse.beat()
        return not self.actor_inbox.empty()

    def _send_outbox(self, commit: Commit, kinds: set[type]) -> None:
        """Send what is new, what waits behind it as the receiver gets on, and now and then all again."""
        if SettleOutbox in kinds:
            self._sent -= {it.outbox_id for it in commit.effects if type(it) is SettleOutbox}
        if commit.state.now >= self._outbox_due_at:  # the stream may have been lost with Redis
            self._sent.clear()
            self._outbox_due_at = commit.state.now + OUTBOX_AGAIN_MS
        elif kinds.isdisjoint(_FOR_OUTBOX) and not (self._more_waits and len(self._sent) <= OUTBOX_REFILL_AT):
            return
        waiting = self._ledger.pending_outbox(limit=OUTBOX_AT_ONCE)
        self._outbox.send([it for it in waiting if it.outbox_id not in self._sent])
        self._sent = {it.outbox_id for it in waiting}
        self._more_waits = len(waiting) == OUTBOX_AT_ONCE

    def _trim(self, commit: Commit) -> None:
        if commit.state.now >= self._trim_due_at:
            self.stats.trimmed += self._journal.trim(commit.state.cursor, commit.state.now)
            self._trim_due_at = commit.state.now + TRIM_EVERY_MS


def _together(commits: list[Commit]) -> Commit:
    """Return one commit that does what these do one after the other."""
    return Commit(
        commits[0].before,
        commits[-1].state,
        [effect for commit in commits for effect in commit.effects],
        [letter for commit in commits for letter in commit.dead_letters],
        set().union(*(commit.sources_changed for commit in commits)),
        any(commit.connections_changed for commit in commits),
        any(commit.forgotten_changed for commit in commits),
        [it for commit in commits for it in commit.quarantined],
        [it for commit in commits for it in commit.lifted],
        [it for commit in commits for it in commit.retried],
    )
