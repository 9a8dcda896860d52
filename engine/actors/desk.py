"""Where requests are handed in: appended to the journal, answered when their outcome is committed."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.actors.aftermath import Answers
from engine.commands import NotCommitted, Request
from engine.domain.event_effects import Answer
from engine.domain.ids import DISCORD_EPOCH_MS
from engine.domain.inputs import MemberForgotten
from engine.storage.protocols import Appender, StorageError

if TYPE_CHECKING:
    from concurrent.futures import Future

WAIT_S = 10.0
_SEQUENCE_BITS = 22  # of a snowflake, below its milliseconds


class Desk:
    """Fulfils ``commands.Commands``."""

    def __init__(
        self,
        appender: Appender,
        answers: Answers,
        wait_s: float = WAIT_S,
        *,
        partitions: int = 1,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._clock = clock
        self._appender, self._answers, self._wait_s = appender, answers, wait_s
        self._partitions = partitions
        self._lock = threading.Lock()
        self._last_id = 0

    def now(self) -> int:
        """Return the clock's time, in ms UTC."""
        return self._clock()

    def new_id(self) -> int:
        """Return a snowflake of now, above all before; Discord's own never meet it within a millisecond.

        Discord's lower bits name one of its workers; ours count up from their end.
        """
        with self._lock:
            fresh = (self.now() - DISCORD_EPOCH_MS << _SEQUENCE_BITS) | (1 << _SEQUENCE_BITS - 1)
            self._last_id = max(self._last_id + 1, fresh)
            return self._last_id

    def carry_out(self, request: Request) -> Answer:
        """Append a request and wait for its outcome. Raises ``NotCommitted``."""
        request_id: str = getattr(request, "request_id", "")
        # A person is forgotten by each partition in its own guilds.
        partitions = self._partitions if isinstance(request, MemberForgotten) else 1
        future = self._answers.expect(request_id, partitions)
        try:
            self._appender.append(request)
            return self._outcome(future)
        except StorageError as error:
            raise NotCommitted(f"the journal takes nothing now: {error}") from error
        finally:
            self._answers.forget(request_id)

    def _outcome(self, future: "Future[Answer]") -> Answer:
        try:
            return future.result(self._wait_s)
        except TimeoutError:
            raise NotCommitted(
                f"not committed within {self._wait_s:.0f} s; it is in the journal and may still take effect"
            ) from None
