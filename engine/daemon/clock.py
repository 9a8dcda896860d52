"""The engine's clock for what it says itself: requests, outcomes, trackers' marks.

It is led by the ingest's, which stamps all else in the journal and does not follow a wall clock that is set
by hand, or from afar, while it runs. By the wall clock alone, one request an hour ahead would take the
partition's time there, and every voice update after it would come an hour late.
"""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import structlog

from bot_adapter.clock import monotonic_ns
from engine.daemon.common import INGEST_STATUS
from engine.storage.status import StatusBoard

if TYPE_CHECKING:
    from engine.config import Config

log = structlog.get_logger(__name__)

LOOK_S, SOON_S = 1.0, 0.05  # SOON_S: while the first word is awaited
# An ingest that lives tells once a second; its word may be gone from a Redis whose wall clock was set, too.
FIRST_WORD_WITHIN_S = 2.0
# The ingest's word is at most so old. Where it says another time than the wall clock with its own lead, the
# wall clock was moved in between.
WORD_MS = 6_000
NS_PER_MS = 1_000_000


class _Anchor(NamedTuple):
    at: int  # ms UTC
    seen_ns: int  # on the monotonic clock


class JournalClock:
    """Goes on from the wall clock's time at its making until it hears of the ingest's; from any thread."""

    def __init__(
        self,
        wall: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], int] = monotonic_ns,
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._anchor = _Anchor(wall() // NS_PER_MS, monotonic())
        self.led = threading.Event()

    def now(self) -> int:
        """Return the moment, in ms UTC."""
        anchor = self._anchor
        return anchor.at + (self._monotonic() - anchor.seen_ns) // NS_PER_MS

    def hear(self, told_at: int, ahead_ms: int) -> None:
        """Take the ingest's word: what its clock said lately, and how far before the wall clock it stood."""
        at = self._wall() // NS_PER_MS + ahead_ms
        if abs(at - told_at) > WORD_MS:
            if self.led.is_set():
                return
            at = self.now() if abs(self.now() - told_at) <= WORD_MS else told_at
        self._anchor = _Anchor(at, self._monotonic())
        self.led.set()


clock = JournalClock()  # one a process
now = clock.now


def lead_clock(config: "Config", stack: ExitStack) -> None:
    """Have the clock led by what the ingest tells of its own, from now on."""
    board, over = StatusBoard(config.redis_url), threading.Event()
    _look(board)
    thread = threading.Thread(target=_look_again, args=(board, over), name="clock", daemon=True)
    thread.start()
    stack.callback(board.close)
    stack.callback(thread.join, LOOK_S)
    stack.callback(over.set)


def _look_again(board: StatusBoard, over: threading.Event) -> None:
    awaited_until = time.monotonic() + FIRST_WORD_WITHIN_S
    while not over.wait(LOOK_S if clock.led.is_set() or time.monotonic() > awaited_until else SOON_S):
        _look(board)


def await_lead() -> None:
    """Return once the ingest was heard of; without one, after a while."""
    clock.led.wait(FIRST_WORD_WITHIN_S)


def _look(board: StatusBoard) -> None:
    try:
        told = board.read(INGEST_STATUS) or {}
    except ConnectionError as error:
        log.debug("clock_unled", reason=str(error))
        return
    if isinstance(at := told.get("at"), int) and isinstance(ahead_ms := told.get("clock_ahead_ms"), int):
        clock.hear(at, ahead_ms)
