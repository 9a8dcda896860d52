"""The thread that has badges, or notices, delivered. Whatever goes wrong in it disturbs nobody else."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog

from engine.badges.delivery import Deliveries, DeliveryStats, Distributor, Outcome, Settle, Trouble
from engine.domain.deliveries import Delivery
from engine.domain.inputs import OutboxOutcome
from engine.storage.protocols import Appender

log = structlog.get_logger(__name__)

KINDS = ("csv", "webhook")  # as `rules.Distributor` names those of the engine itself
POLL_S, SOON_S = 5.0, 0.2  # SOON_S: where more wait than one look shows
BATCH = 1_000
# An outcome that is not in the ledger by then was lost with its journal: it is told again.
TELL_AGAIN_AFTER_S = 60.0
REMEMBERED = 10_000


@dataclass(slots=True)
class _Told:
    """An outcome, and when it was journaled (the loop's clock), if it was."""

    guild_id: int
    outcome: Outcome
    at: float | None = None


class Deliverer:
    """Looks for deliveries when woken and every few seconds, hands them over, journals their outcomes.

    ``distributors``: by kind, one of ``kinds``; deliveries of a kind that has none wait. ``now``: ms UTC.
    ``stats`` is shared with the distributors.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it stands between, and for which kinds
        self,
        deliveries: Deliveries,
        appender: Appender,
        now: Callable[[], int],
        distributors: Mapping[str, Distributor],
        stats: DeliveryStats,
        kinds: Sequence[str] = KINDS,
    ) -> None:
        self.stats, self._kinds = stats, kinds
        self._deliveries = deliveries
        self._appender = appender
        self._now = now
        self._distributors = {kind: distributors.get(kind) or _Nobody(kind) for kind in kinds}
        self._under_way: dict[str, int] = {}  # the guild, by outbox_id
        # Deliveries stay pending until their outcome is committed, and must not be handed over again.
        self._told: OrderedDict[str, _Told] = OrderedDict()
        self._journal = Trouble(stats, "journal")
        self._refusals = Trouble(stats, "refused")
        self._thread = threading.Thread(target=self._run, name=stats.of, daemon=True)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None  # while it runs
        self._calls = {kind: asyncio.Event() for kind in kinds}
        self._stopping = threading.Event()
        self._stopped = asyncio.Event()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Look at once: there is something new. Any thread may call, at any time."""
        for call in self._calls.values():
            self._call_in(call.set)

    def stop(self, timeout_s: float = 5.0) -> None:
        """End, for good; what is under way comes again with the next life."""
        self._stopping.set()
        self._call_in(self._stopped.set)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _call_in(self, call: Callable[[], object]) -> None:
        with self._lock:  # so that the loop is not closed in between
            if self._loop is not None:
                self._loop.call_soon_threadsafe(call)

    # The thread.

    def _run(self) -> None:
        try:
            asyncio.run(self._work())
        except Exception:
            log.exception("deliveries_ended", of=self.stats.of)

    async def _work(self) -> None:
        with self._lock:
            self._loop = asyncio.get_running_loop()
        if self._stopping.is_set():
            self._stopped.set()
        tasks = [asyncio.create_task(self._serve(kind)) for kind in self._kinds]
        try:
            await self._stopped.wait()
        finally:
            with self._lock:
                self._loop = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for distributor in self._distributors.values():
                await distributor.close()

    async def _serve(self, kind: str) -> None:
        trouble, call = Trouble(self.stats, kind), self._calls[kind]
        while True:
            call.clear()
            soon = False
            try:
                soon = self._look(kind)
            except Exception as error:  # noqa: BLE001 - the ledger, the disk, a bug: the deliveries wait
                trouble.note(f"{type(error).__name__}: {error}"[:300])
            else:
                trouble.note("")
            # Not wait_for: up to Python 3.11 it loses a cancellation that comes together with the call.
            with suppress(TimeoutError):
                async with asyncio.timeout(SOON_S if soon else POLL_S):
                    await call.wait()

    def _look(self, kind: str) -> bool:
        """Hand over what is new; say whether more may wait behind it."""
        found = self._deliveries.pending(kind, BATCH)
        waiting = len(found) if len(found) < BATCH else self._deliveries.count(kind)
        idle = [it for it in found if it.outbox_id not in self._under_way]
        try:
            self._hand_over(kind, [it for it in idle if not self._is_told(it.outbox_id)])
        finally:
            self.stats.waiting[kind] = waiting - sum(it.outbox_id in self._told for it in found)
        return len(found) == BATCH and bool(idle)

    def _hand_over(self, kind: str, fresh: Sequence[Delivery]) -> None:
        self._under_way.update((it.outbox_id, it.guild_id) for it in fresh)
        for it in fresh:
            if it.item is None:
                self._settle(it.outbox_id, Outcome(ok=False, detail=it.error))
        items = [it.item for it in fresh if it.item is not None]
        if not items:
            return
        try:
            self._distributors[kind].take(items, self._settle)
        except BaseException:
            for item in items:
                self._under_way.pop(item.outbox_id, None)
            raise

    def _is_told(self, outbox_id: str) -> bool:
        """Say whether a delivery has ended; one whose outcome did not arrive is told again."""
        told = self._told.get(outbox_id)
        if told is None:
            return False
        if told.at is None or asyncio.get_running_loop().time() - told.at >= TELL_AGAIN_AFTER_S:
            self._tell(outbox_id, told)
        return True

    def _settle(self, outbox_id: str, outcome: Outcome) -> None:
        told = self._told[outbox_id] = _Told(self._under_way.pop(outbox_id), outcome)
        self.stats.delivered += outcome.ok
        self.stats.failed += not outcome.ok
        self._refusals.note("" if outcome.ok else outcome.detail)  # whose badge: not for the log
        self._tell(outbox_id, told)
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)

    def _tell(self, outbox_id: str, told: _Told) -> None:
        ok, detail = told.outcome
        try:
            self._appender.append(OutboxOutcome(self._now(), told.guild_id, outbox_id, ok, detail))
        except Exception as error:  # noqa: BLE001 - it was delivered, so it is told at the next look, or later
            self._journal.note(str(error))
        else:
            self._journal.note("")
            told.at = asyncio.get_running_loop().time()


class _Nobody:
    """Stands for a distributor that is not configured."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def take(self, items: Sequence[Any], settle: Settle) -> None:  # noqa: ARG002 - it settles nothing
        raise NotConfiguredError(
            f"badges wait for the distributor {self._kind!r}, which is not configured: see [events]"
        )

    async def close(self) -> None:
        pass


class NotConfiguredError(Exception):
    """Badges were awarded under another configuration."""
