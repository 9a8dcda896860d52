"""Who was in an event beside whom, and who alone: of all that attendance reads, only this looks at others."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from engine.domain.attendance import Reason, Stay, end_of, reading, window
from engine.domain.events import Event

# By user, when they were alone, in order.
Solitude = dict[int, list[tuple[int, int]]]


def solitude(event: Event, stays: Iterable[Stay]) -> Solitude:
    """Find when each member had nobody beside them. ``stays``: all of the event, each user's in order."""
    boundaries: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for stay, begins_at, ends_at in presences(event, stays, moments=False):
        boundaries[stay.channel_id] += [(begins_at, 1, stay.user_id), (ends_at, 0, stay.user_id)]
    alone: Solitude = defaultdict(list)
    for channel in boundaries.values():
        for user_id, begins_at, ends_at in _sweep(sorted(channel)):
            alone[user_id].append((begins_at, ends_at))
    return {user_id: sorted(times) for user_id, times in alone.items()}


def presences(
    event: Event, stays: Iterable[Stay], *, moments: bool = True
) -> Iterator[tuple[Stay, int, int]]:
    """Read each stay inside the window. Where a user's readings overlap, the earlier stay holds.

    ``moments``: a stay of no length was a moment, as ``reading`` has it.
    """
    started_at, ended_at = window(event)
    edges: dict[int, int] = {}
    for stay in stays:
        begins_at, ends_at = reading(event, stay)
        begins_at = max(begins_at, started_at, edges.get(stay.user_id, 0))
        ends_at = min(ends_at if moments else end_of(event, stay), ended_at)
        if begins_at < ends_at:
            edges[stay.user_id] = ends_at
            yield stay, begins_at, ends_at


def _sweep(boundaries: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
    present: set[int] = set()
    since = 0
    for at, enters, user_id in boundaries:
        if len(present) == 1 and since < at:
            yield next(iter(present)), since, at
        if enters:
            present.add(user_id)
        else:
            present.discard(user_id)
        since = at


def parted(
    start_at: int, end_at: int, reason: Reason, alone: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int, Reason]]:
    """Cut a span at the times its member was alone: those do not count. Other reasons go before."""
    if reason is Reason.COUNTED:
        for begins_at, ends_at in alone:
            alone_at, joined_at = max(begins_at, start_at), min(ends_at, end_at)
            if alone_at < joined_at:
                if start_at < alone_at:
                    yield start_at, alone_at, Reason.COUNTED
                yield alone_at, joined_at, Reason.ALONE
                start_at = joined_at
    if start_at < end_at:
        yield start_at, end_at, reason
