"""What an event's share comes to in rows: its participants and the links of their sessions.

While the event goes on, a row says who was there, and the live state how long; once it is over, the row says
both, and follows whatever is still learned.
"""

from collections.abc import Iterable, Sequence

from engine.domain.attendance import Participant, Stay, is_linked
from engine.domain.effects import Effect
from engine.domain.event_effects import (
    DropParticipant,
    FollowParticipants,
    LinkSessions,
    SaveParticipants,
)
from engine.domain.events import Event
from engine.domain.following import Following
from engine.domain.participation import (
    NEVER,
    Attendees,
    company,
    entries,
    followed,
    score,
    scored,
    stays_of,
)

# Participants' rows by user.
Rows = dict[int, Participant]


def written(following: Following, stays: Sequence[Stay] | None, rows: Rows | None) -> list[Effect]:
    """Return what writes an event's attendance after a share.

    ``stays``: those in the ledger, if the attendance was read anew. ``rows``: of an event that was over
    before the share already; None of any other.
    """
    event = following.event
    if event.started_at is None:
        return []
    links = _links(following, stays)
    if event.is_open:
        return [*_active(following, stays), *links]
    if rows is None or stays is not None:
        return [*links, whole(event, score(event, following.known))]
    return [*links, *_corrections(following, rows)]


def whole(event: Event, rows: Rows) -> SaveParticipants:
    """Return what writes all rows of an event."""
    return SaveParticipants(event.guild_id, event.event_id, _in_order(rows.values()), whole=True)


def rows_with(rows: Rows, effects: Iterable[Effect]) -> Rows:
    """Return an event's rows after these effects."""
    for it in effects:
        if isinstance(it, SaveParticipants):
            rows = {**({} if it.whole else rows), **{row.user_id: row for row in it.rows}}
        elif isinstance(it, DropParticipant):
            rows = {user_id: row for user_id, row in rows.items() if user_id != it.user_id}
    return rows


def _active(following: Following, stays: Sequence[Stay] | None) -> list[Effect]:
    event, known, touched = following.event, following.known, following.touched
    names = event.guild_id, event.event_id
    effects = _drops(following)
    if stays is not None:
        effects = [SaveParticipants(*names, entries(known), whole=True)]
        touched = set(known)
    elif following.entered:
        rows = tuple(known[user_id].entry for user_id in sorted(following.entered))
        effects.append(SaveParticipants(*names, rows))
    if touched:
        effects.append(FollowParticipants(*names, _followed(event, known, touched)))
    return effects


def _followed(event: Event, known: Attendees, touched: set[int]) -> tuple[Participant, ...]:
    alone = company(event, stays_of(known))
    return tuple(followed(event, known[user_id], alone.get(user_id, NEVER)) for user_id in sorted(touched))


def _corrections(following: Following, rows: Rows) -> list[Effect]:
    """Return what facts that came after the end change: those of before it, or that a gap hid."""
    event, known = following.event, following.known
    assert event.ended_at is not None
    alone = company(event, stays_of(known)) if following.touched else {}
    now = [scored(event, known[it], event.ended_at, alone.get(it, NEVER)) for it in following.touched]
    changed = _in_order(row for row in now if row != rows.get(row.user_id))
    saved = [SaveParticipants(event.guild_id, event.event_id, changed)] if changed else []
    return [*_drops(following), *saved]


def _drops(following: Following) -> list[Effect]:
    names = following.event.guild_id, following.event.event_id
    return [DropParticipant(*names, user_id) for user_id in sorted(following.vanished)]


def _links(following: Following, stays: Sequence[Stay] | None) -> list[Effect]:
    event = following.event
    names = event.guild_id, event.event_id
    if stays is None:
        new = [LinkSessions(*names, tuple(sorted(following.linked)))] if following.linked else []
        return [*following.unlinks(), *new]
    linked = {(stay.user_id, stay.joined_at) for stay in stays if is_linked(event, stay)}
    linked = (linked | following.linked) - following.unlinked
    return [LinkSessions(*names, tuple(sorted(linked)), whole=True)]


def _in_order(rows: Iterable[Participant]) -> tuple[Participant, ...]:
    return tuple(sorted(rows, key=lambda row: row.user_id))
