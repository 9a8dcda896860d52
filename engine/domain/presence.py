"""When participants were in an event: each one's times, as reports list them, and how many at once."""

from collections.abc import Iterable

from msgspec import Struct

from engine.domain.attendance import END_OF_TIME, Progress, Stay, overlaps, reading, window
from engine.domain.company import presences
from engine.domain.events import Event
from engine.domain.participation import NEVER, Alone, read


class Interval(Struct, frozen=True, gc=False):
    """A time in one channel of an event. ``left_at``: None while the member is there.

    ``present_ms``: as far as it came; so much of it was ``counted_ms``.
    """

    channel_id: int
    joined_at: int
    left_at: int | None
    present_ms: int
    counted_ms: int


def intervals(event: Event, stays: Iterable[Stay], until: int, alone: Alone = NEVER) -> list[Interval]:
    """Return one user's times in an event, of their stays in order; of an active event up to ``until``.

    What they counted comes to what ``participation.score`` counts. One of no length was a moment.
    """
    found = []
    progress = Progress(window(event)[0])
    for stay in stays:
        begins_at, ends_at = reading(event, stay)
        begins_at = max(begins_at, progress.edge)
        if overlaps(event, stay) and begins_at < ends_at:
            is_there = stay.left_at is None and event.ended_at is None
            after = read(event, progress, stay, until if is_there else END_OF_TIME, alone)
            left_at = max(after.edge, begins_at)
            counted_ms = after.tally[0] - progress.tally[0]
            times = begins_at, None if is_there else left_at, left_at - begins_at, counted_ms
            found.append(Interval(stay.channel_id, *times))
            progress = after
    return found


def peak(event: Event, stays: Iterable[Stay]) -> tuple[int, int | None]:
    """Return the most who were in an event at once, and since when. ``stays``: each user's in order."""
    boundaries: list[tuple[int, int]] = []
    for _, begins_at, ends_at in presences(event, stays):
        boundaries += [(begins_at, 1), (ends_at, -1)]
    most, since, now_there = 0, None, 0
    for at, change in sorted(boundaries):  # who leaves at a moment is gone when others come at it
        now_there += change
        if now_there > most:
            most, since = now_there, at
    return most, since
