"""What an event knows of each participant, and how it reads: while it runs, so far, and in the end."""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from engine.domain.attendance import (
    END_OF_TIME,
    NOTHING,
    Participant,
    Piece,
    Progress,
    Reason,
    Stay,
    add,
    is_linked,
    last_span,
    overlaps,
    reading,
    reason_of,
    spans,
    window,
)
from engine.domain.company import Solitude, parted, solitude
from engine.domain.events import Event, EventStatus

Alone = Sequence[tuple[int, int]]
NEVER: Alone = ()


class Attendee(Struct, frozen=True, gc=False):
    """A participant as the running event follows them.

    ``entry``: their row as first written. ``done``: their stays that ended, read; ``running``: the ended
    spans of the open ``stay`` too, whose session is ``linked`` to the event. ``past``: the ended stays, kept
    only where the policy looks at company. ``entered_in``: when the session that they entered in was joined,
    None if it left no row.
    """

    entry: Participant
    done: Progress
    running: Progress
    stay: Stay | None = None
    linked: bool = False
    past: tuple[Stay, ...] = ()
    entered_in: int | None = None


Attendees = dict[int, Attendee]


def attendees(
    event: Event,
    stays: Iterable[Stay],
    rows: Iterable[Participant] = (),
    alone: Solitude | None = None,
) -> Attendees:
    """Read an event's attendance from the ledger: the sessions in its channels, each user's in order.

    A participant's row without a stay is one who was there so shortly that the session left no row.
    ``alone``: the company of all, where ``stays`` are only some people's.
    """
    found: Attendees = {}
    all_stays = [stay for stay in stays if overlaps(event, stay)]
    if alone is None:
        alone = company(event, all_stays)
    for stay in all_stays:
        known = found.get(stay.user_id) or newcomer(event, stay)
        found[stay.user_id] = stayed(event, known, stay, alone.get(stay.user_id, NEVER))
    started_at, ends_at = window(event)
    for row in rows:
        if started_at <= row.entered_at < max(ends_at, started_at + 1):  # one of no length was a moment
            found[row.user_id] = _remembered(found.get(row.user_id), row)
    return found


def _remembered(found: Attendee | None, row: Participant) -> Attendee:
    entry = _entry(row.user_id, row.entered_at)
    if found is None:
        nothing = Progress(row.entered_at)
        return Attendee(entry, nothing, nothing)
    # The earlier sight holds: of a session that left no row, or of one that the ledger told.
    seen_before = row.entered_at < found.entry.entered_at
    return replace(found, entry=entry, entered_in=None) if seen_before else found


def company(event: Event, stays: Iterable[Stay]) -> Solitude:
    """Return when each was alone, where that matters to the event."""
    return {} if event.policy.count_alone else solitude(event, stays)


def newcomer(event: Event, stay: Stay) -> Attendee:
    """Return a participant as of their first moment in the event."""
    nothing = Progress(max(reading(event, stay)[0], window(event)[0]))
    return Attendee(_entry(stay.user_id, nothing.edge), nothing, nothing, entered_in=stay.joined_at)


def explained(event: Event, it: Attendee, stay: Stay) -> Attendee:
    """Take the first stay of one who was seen before without a session: it may reach back to that.

    Then the ledger tells no difference.
    """
    first, seen_at = newcomer(event, stay), it.entry.entered_at
    return first if it.done.edge == seen_at and first.entry.entered_at <= seen_at else it


def _entry(user_id: int, entered_at: int) -> Participant:
    """Return a row without any time: the same whenever it is written, whatever is known by then."""
    return Participant(user_id, entered_at, entered_at, entered_at)


def stayed(event: Event, it: Attendee, stay: Stay, alone: Alone = NEVER) -> Attendee:
    """Read a whole stay, open or ended."""
    linked = is_linked(event, stay)
    if stay.left_at is None:
        # The last span is read when it ends, and with it, where it is the first too, the slack before.
        running = read(event, it.done, stay, stay.span_at, alone) if stay.pieces else it.done
        return Attendee(it.entry, it.done, running, stay, linked, it.past, it.entered_in)
    done = read(event, it.done, stay, END_OF_TIME, alone)
    past = it.past if event.policy.count_alone else (*it.past, stay)
    return Attendee(it.entry, done, done, None, past=past, entered_in=it.entered_in)


def read(event: Event, progress: Progress, stay: Stay, until: int, alone: Alone = NEVER) -> Progress:
    """Read a stay's spans up to a moment."""
    for span in spans(event, stay, until):
        reason = reason_of(event, stay.channel_id, span.flags, span.roles)
        for start_at, end_at, why in parted(span.started_at, span.ended_at, reason, alone):
            progress = add(progress, start_at, end_at, why)
    return progress


def opened(event: Event, it: Attendee, stay: Stay) -> Attendee:
    """Take a stay that has just begun."""
    return Attendee(it.entry, it.done, it.done, stay, is_linked(event, stay), it.past, it.entered_in)


def span_ended(event: Event, it: Attendee, piece: Piece) -> Attendee:
    """Take the next span of the open stay."""
    stay = it.stay
    assert stay is not None
    started_at, ends_at = window(event)
    start_at = max(piece.started_at if stay.pieces else reading(event, stay)[0], started_at)
    end_at = min(piece.ended_at, ends_at)
    running = it.running
    if start_at < end_at:
        running = add(running, start_at, end_at, reason_of(event, stay.channel_id, piece.flags, piece.roles))
    stay = replace(stay, pieces=(*stay.pieces, piece), span_at=piece.ended_at)
    return Attendee(it.entry, it.done, running, stay, it.linked, it.past, it.entered_in)


def closed(event: Event, it: Attendee, stay: Stay) -> Attendee:
    """Take the end of the open stay, whose ended spans are read."""
    done, span = it.running, last_span(event, stay)
    if span is not None:
        reason = reason_of(event, stay.channel_id, span.flags, span.roles)
        done = add(done, span.started_at, span.ended_at, reason)
    past = it.past if event.policy.count_alone else (*it.past, stay)
    return Attendee(it.entry, done, done, None, past=past, entered_in=it.entered_in)


def followed(event: Event, it: Attendee, alone: Alone = NEVER) -> Participant:
    """Return a participant of a running event as seed 002 caches them.

    The tally holds what has ended: while ``end_at`` is None, the stretch since ``start_at`` comes on top.
    """
    progress, stay = it.running, it.stay
    if stay is None:
        return _so_far(it, progress)
    begins_at = stay.span_at if stay.pieces else reading(event, stay)[0]
    begins_at = max(begins_at, progress.edge, window(event)[0])
    reason = reason_of(event, stay.channel_id, stay.flags, stay.roles)
    *ended, last = parted(begins_at, END_OF_TIME, reason, alone)
    for start_at, end_at, why in ended:
        progress = add(progress, start_at, end_at, why)
    if last[2] is not Reason.COUNTED:
        return _so_far(it, progress)
    return _counting(it, progress, last[0])


def _counting(it: Attendee, progress: Progress, since: int) -> Participant:
    goes_on = progress.start_at is not None and progress.end_at == since
    start_at = progress.start_at if goes_on else since
    assert start_at is not None
    counted_ms = progress.tally[0] - (since - start_at)
    entered_at = it.entry.entered_at
    return Participant(it.entry.user_id, entered_at, start_at, None, (counted_ms, *progress.tally[1:]))


def _so_far(it: Attendee, progress: Progress) -> Participant:
    entered_at = it.entry.entered_at
    if progress.start_at is None:
        return Participant(it.entry.user_id, entered_at, entered_at, entered_at, progress.tally)
    return Participant(it.entry.user_id, entered_at, progress.start_at, progress.end_at, progress.tally)


def reread(event: Event, known: Attendees) -> Attendees:
    """Read everybody anew: who comes or goes changes whether others were alone."""
    alone = company(event, stays_of(known))
    return {user_id: _reread(event, it, alone.get(user_id, NEVER)) for user_id, it in known.items()}


def _reread(event: Event, it: Attendee, alone: Alone) -> Attendee:
    nothing = Progress(it.entry.entered_at)
    fresh = Attendee(it.entry, nothing, nothing, entered_in=it.entered_in)
    for stay in (*it.past, *([] if it.stay is None else [it.stay])):
        fresh = stayed(event, fresh, stay, alone)
    return fresh


def scored(event: Event, it: Attendee, until: int, alone: Alone = NEVER) -> Participant:
    """Return a participant with all that their time comes to by ``until``, or by the event's end.

    ``end_at`` is None if their time is still counting at ``until``.
    """
    progress = it.done if it.stay is None else read(event, it.done, it.stay, until, alone)
    row = _so_far(it, progress)
    if event.ended_at is None:
        counting = it.stay is not None and progress.end_at == until
        return replace(row, end_at=None) if counting else row
    earned = event.status is EventStatus.ENDED and row.counted_ms >= event.threshold_ms(until)
    return replace(row, eligible=earned)


def score(
    event: Event, known: Attendees, until: int = END_OF_TIME, alone: Solitude | None = None
) -> dict[int, Participant]:
    """Return every participant with all that their time comes to by ``until``, or by the event's end.

    ``alone``: the company of all, where only some people are ``known``.
    """
    if event.ended_at is not None:
        until = event.ended_at
    if alone is None:
        alone = company(event, stays_of(known))
    return {user_id: scored(event, it, until, alone.get(user_id, NEVER)) for user_id, it in known.items()}


def stays_of(known: Attendees) -> Iterable[Stay]:
    """Yield the stays that are kept, each user's in order."""
    for it in known.values():
        yield from it.past
        if it.stay is not None:
            yield it.stay


def entries(known: Attendees) -> tuple[Participant, ...]:
    """Return all participants' rows as first written, in order of their ids."""
    return tuple(known[user_id].entry for user_id in sorted(known))


assert len(NOTHING) == len(Reason)
