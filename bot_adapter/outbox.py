"""What the engine wants done on Discord, done: each effect once, its outcome journaled."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from bot_adapter import effects
from bot_adapter.backoff import Backoff
from engine.domain.effects import ToDiscord
from engine.domain.inputs import OutboxOutcome
from engine.storage.protocols import Appender

log = structlog.get_logger(__name__)

BLOCK_MS = 1000
RETRY_BASE_S, RETRY_LIMIT_S = 1.0, 60.0
# One effect that Discord always fails on must not hold up the others for ever.
GIVE_UP_AFTER_S = 900.0
REMEMBERED = 10_000


class OutboxReceiver(Protocol):
    """Where the effects come from. What was received and not yet ``done`` comes again after a crash."""

    def receive(self, block_ms: int) -> Sequence[tuple[str, ToDiscord]]:
        """Wait up to ``block_ms`` for effects, oldest first, each with its receipt. Blocks its thread."""
        ...

    def done(self, receipt: str) -> None:
        """Never hand this one out again."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a try ended for good."""

    ok: bool
    detail: str = ""


class Outbox:
    """Carries out effects one after another, as long as it runs."""

    def __init__(
        self, client: effects.Client, receiver: OutboxReceiver, appender: Appender, now: Callable[[], int]
    ) -> None:
        self.posted = 0
        self.failed = 0
        self._client = client
        self._receiver = receiver
        self._appender = appender
        self._now = now
        # The engine sends again what has no outcome yet, and Discord forgets a nonce after minutes.
        self._settled: OrderedDict[str, Outcome] = OrderedDict()

    async def run(self) -> None:
        """Work until cancelled; storage that is away is asked again."""
        backoff = Backoff(RETRY_BASE_S, RETRY_LIMIT_S)
        while True:
            try:
                for receipt, effect in await asyncio.to_thread(self._receiver.receive, BLOCK_MS):
                    await self._carry_out(receipt, effect)
            except Exception as error:  # noqa: BLE001 - whatever the receiver raises, effects wait in it
                log.warning("outbox_waits", error=f"{type(error).__name__}: {error}"[:300])
                await asyncio.sleep(backoff.next_delay_s())
            else:
                backoff.reset()

    async def _carry_out(self, receipt: str, effect: ToDiscord) -> None:
        outcome = self._settled.get(effect.outbox_id) or await self._settle(effect)
        backoff = Backoff(RETRY_BASE_S, RETRY_LIMIT_S)
        while True:
            try:
                self._journal(effect, outcome)
                # Last: after a crash before this, the effect comes again, and done again it is harmless.
                await asyncio.to_thread(self._receiver.done, receipt)
            except Exception as error:  # noqa: BLE001 - done on Discord, so it is told for as long as it takes
                log.warning("outcome_waits", effect=type(effect).__name__, error=str(error)[:300])
                await asyncio.sleep(backoff.next_delay_s())
            else:
                return

    def _journal(self, effect: ToDiscord, outcome: Outcome) -> None:
        at = self._now()
        told = OutboxOutcome(at, effect.guild_id, effect.outbox_id, outcome.ok, outcome.detail)
        self._appender.append(told)

    async def _settle(self, effect: ToDiscord) -> Outcome:
        """Do it, and remember how it ended."""
        outcome = await self._insist(effect)
        self.posted += outcome.ok
        self.failed += not outcome.ok
        self._settled[effect.outbox_id] = outcome
        if len(self._settled) > REMEMBERED:
            self._settled.popitem(last=False)
        return outcome

    async def _insist(self, effect: ToDiscord) -> Outcome:
        """Try until Discord has said yes or no, or for ``GIVE_UP_AFTER_S``."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + GIVE_UP_AFTER_S
        backoff = Backoff(RETRY_BASE_S, RETRY_LIMIT_S)
        while True:
            try:
                await effects.do(self._client, effect)
            except Exception as error:  # noqa: BLE001 - judged by its refusal: refused for good, or to be tried again
                if refusal := effects.refusal(error):
                    return Outcome(ok=False, detail=refusal)
                if loop.time() >= give_up_at:
                    return Outcome(ok=False, detail=f"gave up: {error}"[:300])
                await asyncio.sleep(max(backoff.next_delay_s(), effects.retry_after_s(error)))
            else:
                return Outcome(ok=True)
