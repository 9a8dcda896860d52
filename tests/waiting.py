"""How tests wait: for a condition, never for a time."""

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

PATIENCE_S = 30.0
SOON_S, LATER_S = 0.001, 0.02


def until(
    condition: Callable[[], Any],
    what: str = "the condition",
    timeout_s: float = PATIENCE_S,
    every_s: float = LATER_S,
) -> Any:
    """Wait until ``condition()`` is true, and return what it returned.

    It is looked at again at once, then ever less often, down to once in ``every_s``.
    """
    pauses = _pauses(what, timeout_s, every_s)
    while not (found := condition()):
        time.sleep(next(pauses))
    return found


async def until_async(
    condition: Callable[[], Any], what: str = "the condition", timeout_s: float = PATIENCE_S
) -> Any:
    """Do as ``until``; other coroutines go on meanwhile."""
    pauses = _pauses(what, timeout_s, LATER_S)
    # Any state may be waited for, not only what could set an Event.
    while not (found := condition()):  # noqa: ASYNC110
        await asyncio.sleep(next(pauses))
    return found


def _pauses(what: str, timeout_s: float, every_s: float) -> Iterator[float]:
    ends_at, pause_s = time.monotonic() + timeout_s, min(SOON_S, every_s)
    while time.monotonic() < ends_at:
        yield pause_s
        pause_s = min(2 * pause_s, every_s)
    raise AssertionError(f"{what}: not within {timeout_s:g} s")
