"""When participants were in an event: each one's times, as reports list them, and how many at once."""

from collections.abc import Iterable
from operator import sub

from msgspec import Struct

from engine.domain.attendance import END_OF_TIME, Progress, Stay, Tally, overlaps, reading, window
from engine.domain.company import presences
from engine.domain.events import Event
from engine.domain.participation import NEVER, Alone, read


class Interval(Struct, frozen=True, gc=False):
    """A time in one channel of an event. ``left_at``: None while the member is there; ``tally``: so far."""

    channel_id: int
    joined_at: int
    left_at: int | None
    tally: Tally


def intervals(event: Event, stays: Iterable[Stay], until: int, alone: Alone = NEVER) -> list[Interval]:
    """Return one user's times in an event, of their stays in order; of an active event up to ``until``.

    All tallies come to what ``participation.score`` says. One of no length was a moment.
    """
    found: list[Interval] = []
    progress = Progress(window(event)[0])
    for stay in stays:
        begins_at, ends_at = reading(event, stay)
        begins_at = max(begins_at, progress.edge)
        if overlaps(event, stay) and begins_at < ends_at:
            if not found:
                progress = Progress(begins_at)  # the first sight: as ``participation.newcomer``
            is_there = stay.left_at is None and event.ended_at is None
            after = read(event, progress, stay, until if is_there else END_OF_TIME, alone)
            left_at = None if is_there else max(after.edge, begins_at)
            tally = tuple(map(sub, after.tally, progress.tally))
            found.append(Interval(stay.channel_id, begins_at, left_at, tally))
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
