"""Moments and durations, as people write and read them."""

import re
from datetime import UTC, date, datetime, timedelta

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LENGTH = re.compile(r"(?:[0-9]{1,6}[smhdw])+")


def parse(text: str, now: datetime) -> datetime:
    """Read ``2026-03-01T18:00Z``, ``2026-03-01`` (local where no zone is named), or ``1d12h`` before ``now``.

    Raises ValueError.
    """
    return now - length(text) if _LENGTH.fullmatch(text) else _written(text)


def ahead(text: str, now: datetime) -> datetime:
    """Read a moment as ``parse`` does, but ``1d12h`` as after ``now``. Raises ValueError."""
    return now + length(text) if _LENGTH.fullmatch(text) else _written(text)


def length(text: str) -> timedelta:
    """Read a duration: ``90m``, ``1h30m``. Raises ValueError."""
    if not _LENGTH.fullmatch(text):
        raise ValueError(f"{text!r} is no duration")
    parts = re.findall(r"(\d+)([smhdw])", text)
    return sum((timedelta(**{_UNITS[unit]: int(count)}) for count, unit in parts), timedelta())


def _written(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def iso(moment: datetime) -> str:
    """Write a moment as the API takes and gives it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def day(text: str) -> date:
    """Return the local day of the API's moment."""
    return datetime.fromisoformat(text).astimezone().date()


def local(text: str | None, known: date | None = None) -> str:
    """Write the API's moment in local time, to the second; the day is left out where it is the known one."""
    if not text:
        return ""
    form = "%H:%M:%S" if day(text) == known else "%Y-%m-%d %H:%M:%S"
    return datetime.fromisoformat(text).astimezone().strftime(form)


def duration(seconds: float) -> str:
    """Write seconds as ``1h 02m 03s``; below a minute to the tenth."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(round(seconds, 1)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m {rest:02}s" if hours else f"{minutes}m {rest:02}s"
