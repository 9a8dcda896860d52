"""The engine's actors together: started in order, stopped in reverse, given up as a whole."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pykka
import structlog

from engine.actors.aftermath import Aftermath
from engine.actors.partition import Begin, Partition, PartitionSettings
from engine.actors.reconciling import described
from engine.actors.shared import Shared
from engine.actors.sight import Published
from engine.actors.supervisor import CheckChildren, Children, Roster, Supervisor, Watch
from engine.actors.system import THREADS, System
from engine.commands import NotCommitted
from engine.domain.rules import Rules
from engine.inspection import Described
from engine.storage.protocols import Stores

if TYPE_CHECKING:
    from engine.actors.inside import Inside
    from engine.actors.pool import Dispatcher
    from engine.actors.reconciling import Compared

log = structlog.get_logger(__name__)

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 8.0  # of the 10 s a daemon may take
ASK_TIMEOUT_S = 1.0
TELLS_WITHIN_S = 10.0  # of a death, the supervisor
RECONCILE_WITHIN_S = 25.0  # a command waits for 30 s


@dataclass(frozen=True)
class EngineSettings:
    """See ``[engine]`` in config.toml."""

    workers: int = 1
    batch_max_entries: int = 20_000
    park_after_ms: int = 600_000
    reconcile_every_s: float = 0.0


class Engine:
    """Runs partitions until stopped; ``failed`` is set when it can go on no longer, ``reason`` says why."""

    def __init__(
        self,
        settings: EngineSettings,
        stores: Sequence[Stores],
        rules: Rules,
        system: System = THREADS,
        compared: "Sequence[Compared]" = (),
    ) -> None:
        self._settings, self._stores, self._rules, self._system = settings, stores, rules, system
        self._compared = compared
        self.aftermath, self.published = Aftermath(system.executor), Published()
        self.failed = threading.Event()
        self.reason = ""
        self._stopping = False
        self._ended_at: float | None = None  # when a partition was first seen to have
        self.inside: list[Inside] = []
        self._partitions: list[pykka.ActorRef[Partition]] = []
        self._supervisor: pykka.ActorRef[Supervisor] | None = None
        self._dispatcher: Dispatcher | None = None

    def start(self) -> None:
        """Return when every partition stands where its ledger stands.

        Raises what keeps one from it, and then nothing runs.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        log.info("engine_started", partitions=len(self._partitions), workers=self._settings.workers)

    def _start(self) -> None:
        system = self._system
        self._dispatcher = system.dispatcher(self._settings.workers)
        self._supervisor = system.start(Supervisor, self._give_up)
        shared = Shared(
            self._dispatcher, self._supervisor, self.aftermath, self.published, system, self._compared
        )
        for number, stores in enumerate(self._stores):
            settings = PartitionSettings(
                number,
                self._settings.batch_max_entries,
                self._settings.park_after_ms,
                self._settings.reconcile_every_s,
            )
            ref = system.start(Partition, settings, stores, shared, self._rules)
            self._partitions.append(ref)
            inside = cast("Inside", ref.ask(Begin(), timeout=START_TIMEOUT_S))
            self.inside.append(inside)
            self._supervisor.tell(Watch(f"partition:{number}", ref, partial(getattr, inside.stats, "death")))

    def stop(self) -> None:
        """Stop reading, commit what was taken, end the actors. Open sessions stay open."""
        self._stopping = True
        for inside in self.inside:
            inside.halt()
        for ref in reversed(self._partitions):
            _stop(ref)
        if self._supervisor is not None:
            _stop(self._supervisor)
        if self._dispatcher is not None:
            self._dispatcher.stop()
        self.aftermath.stop()
        log.info("engine_stopped")

    def check(self) -> None:
        """Have the supervisor look whether its children live; the daemon calls it each second."""
        if self._supervisor is None or not self._supervisor.is_alive():
            self._give_up("supervisor died")
        elif self._dispatcher is not None and not self._dispatcher.alive():
            self._give_up("a worker thread of the actors died")
        elif stuck := [line for inside in self.inside for line in inside.stuck()]:
            self._give_up(stuck[0])
        else:
            self._supervisor.tell(CheckChildren())
            self._check_partitions()

    def _check_partitions(self) -> None:
        """End with a partition whose end the supervisor has had time to tell of, and has not: it hangs."""
        ended = next((number for number, ref in enumerate(self._partitions) if not ref.is_alive()), None)
        now = self._system.monotonic()
        self._ended_at = None if ended is None else self._ended_at or now
        if self._ended_at is not None and now - self._ended_at > TELLS_WITHIN_S:
            self._give_up(f"partition {ended} has ended, and the supervisor does not answer")

    def alive(self) -> bool:
        """Return whether all that must run does."""
        return not self.failed.is_set() and all(ref.is_alive() for ref in self._partitions)

    def faults(self) -> list[str]:
        """Return what has ended, or runs and gets nowhere, a line each. Never waits."""
        if self.failed.is_set():
            return [self.reason]
        ended = [number for number, ref in enumerate(self._partitions) if not ref.is_alive()]
        stuck = [line for inside in self.inside for line in inside.stuck()]
        return [*(f"partition {number} has ended" for number in ended), *stuck]

    def reconcile(self, timeout_s: float = RECONCILE_WITHIN_S) -> Described:
        """Have every partition's mirror checked now; return what was found.

        Raises ``NotCommitted`` where that takes too long.
        """
        ends_at = time.monotonic() + timeout_s
        for inside in self.inside:
            if inside.reconciler.ask(max(0.0, ends_at - time.monotonic())) is None:
                raise NotCommitted(f"the check of partition {inside.number} has not ended: try again")
        return self.reconciled()

    def reconciled(self) -> Described:
        """Return what the last checks found."""
        rewinds = sum(it.stats.rewinds for it in self.inside)
        return described((it.reconciler for it in self.inside), rewinds)

    def roster(self) -> Roster:
        """Return how the children have fared; an empty roster if the supervisor does not answer."""
        try:
            roster: Any = self._supervisor and self._supervisor.ask(Children(), timeout=ASK_TIMEOUT_S)
        except (pykka.Timeout, pykka.ActorDeadError):
            roster = None
        return roster or Roster({}, {}, {})

    def _give_up(self, reason: str) -> None:
        if not self.failed.is_set() and not self._stopping:  # an end that was ordered is no death
            log.error("engine_failed", reason=reason)
            self.reason = reason
            self.failed.set()


def _stop(ref: "pykka.ActorRef[Any]") -> None:
    try:
        ref.stop(timeout=STOP_TIMEOUT_S)
    except pykka.Timeout:
        log.error("actor_did_not_stop", actor=str(ref))  # noqa: TRY400 - no traceback tells more
