"""What of an event's attendance is to be written, once its guild's facts are taken."""

from collections.abc import Sequence

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
from engine.domain.participation import NEVER, Attendees, company, entries, followed, score, stays_of


def written(
    before: Event | None, event: Event, following: Following, stays: Sequence[Stay] | None
) -> list[Effect]:
    """Return the rows and links that an event's share came to; ``stays``: all, where they were read anew."""
    if event.started_at is None:
        return []
    names = event.guild_id, event.event_id
    if event.is_open:
        return _written_active(event, following, stays)
    effects = _links(event, following, stays)
    over_now = before is None or before.is_open
    if over_now or stays is not None:
        rows = score(event, following.known)
        return [*effects, SaveParticipants(*names, in_order(rows), whole=True)]
    # The rest is corrected when the event settles. Who was there is what the rows alone may tell.
    effects += [DropParticipant(*names, user_id) for user_id in sorted(following.vanished)]
    if following.entered:
        rows = score(event, following.known)
        entered = tuple(rows[user_id] for user_id in sorted(following.entered))
        effects.append(SaveParticipants(*names, entered))
    return effects


def rows_with(written: dict[int, Participant], effects: list[Effect]) -> dict[int, Participant]:
    """Return an event's rows after these effects."""
    for it in effects:
        if isinstance(it, SaveParticipants):
            written = {**({} if it.whole else written), **{row.user_id: row for row in it.rows}}
        elif isinstance(it, DropParticipant):
            written = {user_id: row for user_id, row in written.items() if user_id != it.user_id}
    return written


def _written_active(event: Event, following: Following, stays: Sequence[Stay] | None) -> list[Effect]:
    names, known = (event.guild_id, event.event_id), following.known
    effects: list[Effect] = [DropParticipant(*names, user_id) for user_id in sorted(following.vanished)]
    touched = following.touched
    if stays is not None:
        effects = [SaveParticipants(*names, entries(known), whole=True)]
        touched = set(known)
    elif following.entered:
        rows = tuple(known[user_id].entry for user_id in sorted(following.entered))
        effects.append(SaveParticipants(*names, rows))
    if touched:
        effects.append(FollowParticipants(*names, _followed(event, known, touched)))
    return effects + _links(event, following, stays)


def _followed(event: Event, known: Attendees, touched: set[int]) -> tuple[Participant, ...]:
    alone = company(event, stays_of(known))
    return tuple(followed(event, known[user_id], alone.get(user_id, NEVER)) for user_id in sorted(touched))


def _links(event: Event, following: Following, stays: Sequence[Stay] | None) -> list[Effect]:
    names = event.guild_id, event.event_id
    if stays is None:
        new = [LinkSessions(*names, tuple(sorted(following.linked)))] if following.linked else []
        return [*following.unlinks(), *new]
    linked = {(stay.user_id, stay.joined_at) for stay in stays if is_linked(event, stay)}
    linked = (linked | following.linked) - following.unlinked
    return [LinkSessions(*names, tuple(sorted(linked)), whole=True)]


def in_order(rows: dict[int, Participant]) -> tuple[Participant, ...]:
    """Return rows in order of their users."""
    return tuple(rows[user_id] for user_id in sorted(rows))
