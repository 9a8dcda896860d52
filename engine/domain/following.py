"""How a running event follows its guild: the effects of the guild's step are its facts (seed 002).

Works on a copy made at the first change, as ``guild.Draft`` does: whoever raises leaves everything as it was.
"""

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import replace

from engine.domain.attendance import Piece, Stay, is_linked, overlaps
from engine.domain.company import solitude
from engine.domain.effects import DropSession, DropSpans, Effect, SaveGuild, SaveSession, SaveSpan
from engine.domain.event_effects import UnlinkSession
from engine.domain.events import Event
from engine.domain.inputs import VoiceFlags
from engine.domain.lifecycle import Standing
from engine.domain.participation import (
    Attendee,
    Attendees,
    closed,
    explained,
    newcomer,
    opened,
    read,
    reread,
    span_ended,
    stayed,
    stays_of,
)


class Following:
    """An event's attendees while one batch of facts works on them.

    ``touched``: whose time changed. ``entered``: who is new, ``vanished``: who was never there after all.
    ``linked``, ``unlinked``: sessions as ``(user_id, joined_at)``.
    """

    def __init__(self, event: Event, known: Attendees, standing: Standing) -> None:
        self.event, self.standing = event, standing
        self.known, self._given = known, known
        self.touched: set[int] = set()
        self.entered: set[int] = set()
        self.vanished: set[int] = set()
        self.linked: set[tuple[int, int]] = set()
        self.unlinked: set[tuple[int, int]] = set()

    def take(self, facts: Iterable[Effect]) -> None:
        """Take a guild's effects, in order; of an event that has not begun, only how it is watched."""
        takers = _TAKERS if self.event.started_at is not None else _WATCHED
        for fact in facts:
            taker = takers.get(type(fact))
            if taker is not None:
                taker(self, fact)

    def finish(self) -> None:
        """Read again what only all facts together tell."""
        if self.touched and not self.event.policy.count_alone:
            before = solitude(self.event, stays_of(self._given))
            now = solitude(self.event, stays_of(self.known))
            self.touched |= {user_id for user_id in self.known if before.get(user_id) != now.get(user_id)}
            self.known = reread(self.event, self.known)

    def unlinks(self) -> list[Effect]:
        """Return what takes links back that were given before these facts."""
        gone = sorted(self.unlinked)
        return [UnlinkSession(self.event.guild_id, self.event.event_id, *key) for key in gone]

    def _session_saved(self, it: SaveSession) -> None:
        session = it.session
        if session.channel_id not in self.event.channel_ids or session.flags & VoiceFlags.BOT:
            return
        known = self.known.get(session.user_id)
        before = self._open_stay(known, session.joined_at)
        stay = Stay(
            session.user_id,
            session.channel_id,
            session.joined_at,
            session.span_at,
            session.flags,
            session.roles,
            session.joined_slack_ms,
            it.left_at,
            it.left_slack_ms,
            () if before is None else before.pieces,
        )
        # An open stay overlaps an event that goes on, whenever it began.
        if (it.left_at is not None or self.event.ended_at is not None) and not overlaps(self.event, stay):
            self._was_not_here(known, stay)
        elif known is None or before is None:
            self._arrive(known, stay)
        elif it.left_at is None:
            self._change(known, stay)
        else:
            self._leave(known, stay)

    def _arrive(self, known: Attendee | None, stay: Stay) -> None:
        """Take a stay that is new; seen late, it may have ended."""
        if known is None:
            known = newcomer(self.event, stay)
            self.entered.add(stay.user_id)
            self.vanished.discard(stay.user_id)
        elif known.entered_in is None and (earlier := explained(self.event, known, stay)) is not known:
            known = earlier
            self.entered.add(stay.user_id)
        if stay.left_at is None:
            after = opened(self.event, known, stay)
            self._link(stay, False, after.linked)
        else:
            after = stayed(self.event, known, stay)
            self._link(stay, False, is_linked(self.event, stay))
        self._put(after)

    def _change(self, known: Attendee, stay: Stay) -> None:
        """Take new flags or roles of the open stay; the span before them has been told."""
        linked = is_linked(self.event, stay) if self.event.required_role_ids else known.linked
        self._link(stay, known.linked, linked)
        self._put(
            Attendee(known.entry, known.done, known.running, stay, linked, known.past, known.entered_in)
        )

    def _leave(self, known: Attendee, stay: Stay) -> None:
        """Take the end of the open stay."""
        self._link(stay, known.linked, is_linked(self.event, stay))
        self._put(closed(self.event, known, stay))

    def _was_not_here(self, known: Attendee | None, stay: Stay) -> None:
        """Take a stay that turned out to have ended before the event, or to have begun after it."""
        if known is None or self._open_stay(known, stay.joined_at) is None:
            return
        self._link(stay, known.linked, False)
        if known.entered_in == stay.joined_at:
            self._vanish(stay.user_id)
        else:
            self._put(replace(known, running=known.done, stay=None, linked=False))

    def _vanish(self, user_id: int) -> None:
        self._own()
        del self.known[user_id]
        self.touched.discard(user_id)
        if user_id in self.entered:
            self.entered.discard(user_id)
        else:
            self.vanished.add(user_id)

    def _session_dropped(self, it: DropSession) -> None:
        """Whoever was here too shortly for a session was here all the same: the entry stays (seed 002)."""
        known = self.known.get(it.user_id)
        stay = self._open_stay(known, it.joined_at)
        if known is None or stay is None:
            return
        if not overlaps(self.event, replace(stay, left_at=it.at)):
            self._was_not_here(known, stay)
            return
        self._link(stay, known.linked, False)
        entered_in = None if known.entered_in == stay.joined_at else known.entered_in
        gone = replace(known, running=known.done, stay=None, linked=False, entered_in=entered_in)
        self._put(gone)

    def _span_saved(self, it: SaveSpan) -> None:
        known = self.known.get(it.user_id)
        if known is not None and self._open_stay(known, it.joined_at) is not None:
            self._put(span_ended(self.event, known, Piece(it.started_at, it.ended_at, it.flags, it.roles)))

    def _spans_dropped(self, it: DropSpans) -> None:
        known = self.known.get(it.user_id)
        stay = self._open_stay(known, it.joined_at)
        if known is None or stay is None:
            return
        kept = (piece for piece in stay.pieces if piece.started_at < it.since)
        pieces = tuple(piece._replace(ended_at=min(piece.ended_at, it.since)) for piece in kept)
        stay = replace(stay, pieces=pieces, span_at=it.since)
        running = read(self.event, known.done, stay, it.since)
        self._put(replace(known, stay=stay, running=running))

    def _guild_saved(self, it: SaveGuild) -> None:
        self.standing = Standing(it.connection, it.lost_at, it.present, it.afk_channel_id)

    @staticmethod
    def _open_stay(known: Attendee | None, joined_at: int) -> Stay | None:
        stay = None if known is None else known.stay
        return stay if stay is not None and stay.joined_at == joined_at else None

    def _put(self, attendee: Attendee) -> None:
        self._own()
        self.known[attendee.entry.user_id] = attendee
        self.touched.add(attendee.entry.user_id)

    def _own(self) -> None:
        if self.known is self._given:
            self.known = dict(self.known)

    def _link(self, stay: Stay, before: bool, after: bool) -> None:
        if before == after:
            return
        key = (stay.user_id, stay.joined_at)
        news, olds = (self.linked, self.unlinked) if after else (self.unlinked, self.linked)
        # A session may be dropped and another begin at the same moment, under the same key.
        (olds.remove if key in olds else news.add)(key)


_Takers = dict[type, Callable[[Following, Any], None]]
_TAKERS: _Takers = {
    SaveSession: Following._session_saved,  # noqa: SLF001 - the class's own table
    SaveSpan: Following._span_saved,  # noqa: SLF001
    DropSession: Following._session_dropped,  # noqa: SLF001
    DropSpans: Following._spans_dropped,  # noqa: SLF001
    SaveGuild: Following._guild_saved,  # noqa: SLF001
}
_WATCHED: _Takers = {SaveGuild: _TAKERS[SaveGuild]}
