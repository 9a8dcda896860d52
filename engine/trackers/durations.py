"""Durations as people give them, in seconds, and as the engine keeps them, in whole milliseconds."""

from math import isfinite

# No upper limit is set for a timeout; a longer one is as good as never, and its moment can still be written.
LONGEST_MS = 1_000 * 365 * 86_400_000


def positive_s(value: object, what: str) -> float:
    """Return a duration that makes sense. Raises TypeError or ValueError with a line that names ``what``."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{what} must be a number of seconds, not {value!r}")
    if not value > 0 or (isinstance(value, float) and not isfinite(value)):
        raise ValueError(f"{what} must be above 0 and finite, not {value!r}")
    return float(min(value, LONGEST_MS / 1000))


def milliseconds(value: object, what: str) -> int:
    """Return a duration given in seconds in ms, at least 1. Raises like ``positive_s``."""
    return min(max(1, round(positive_s(value, what) * 1000)), LONGEST_MS)


def maybe_milliseconds(value: object, what: str) -> int | None:
    """Return the same of a duration that may be left out."""
    return None if value is None else milliseconds(value, what)
