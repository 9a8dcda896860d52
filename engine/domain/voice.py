"""The rules of a voice session: how one opens, is cut into spans, and closes (seed 001).

A span ends where a flag changes (``VoiceFlags``), and where the member's roles do: events ask who held which
role when. What shows sessions joins spans that differ in roles alone.

A moment that is not known exactly is a window ``[earliest, at]``. A join is then dated at the window's end
and a leave at its beginning, with the width as slack: between the two the member was certainly there.
"""

from msgspec.structs import replace

from engine.domain import players
from engine.domain.effects import DropSession, DropSpans, SaveSession, SaveSpan, Status
from engine.domain.guild import Draft
from engine.domain.inputs import RolesChanged, VoiceFlags, VoiceState, VoiceStateChanged
from engine.domain.sessions import Session, Window, seen

Presence = VoiceStateChanged | VoiceState


def voice_state_changed(draft: Draft, change: VoiceStateChanged) -> None:
    """Follow one member between channels. A repeated update changes nothing."""
    when = seen(change.at, change.replayed_from)
    session = draft.sessions.get(change.user_id)
    # Nearly all are people: the first two tests spare them the call.
    told_of = change.roles is not None and change.user_id != draft.state.own_user_id
    bot = change.bot if told_of else players.is_bot(draft.state, change)
    if bot:
        players.bot_moved(draft, change, change.channel_id, change.at)
        change = replace(change, flags=change.flags | VoiceFlags.BOT)
    elif change.user_id in draft.state.bots:  # taken for a bot until now
        players.forget_bot(draft, change.user_id)
    if not draft.tracks(change.user_id, bot):
        if session is not None:  # taken for a person until now, or opted out since
            drop(draft, session, change.at)
        return
    if session is not None and bool(session.flags & VoiceFlags.BOT) != bot:
        leave(draft, session, when)  # taken for something else until now: events must not count half of it
        session = None
    if session is None:
        if change.channel_id is not None:
            join(draft, change, change.channel_id, when)
    elif change.channel_id is None:
        leave(draft, session, when)
    elif change.channel_id != session.channel_id:
        move(draft, session, change, change.channel_id, when)
    else:
        cut(draft, session, change, when)


def roles_changed(draft: Draft, change: RolesChanged) -> None:
    """Cut the session of a member whose roles have changed; of people outside voice nothing is kept."""
    players.roles_changed(draft, change.user_id, change.roles)
    session = draft.sessions.get(change.user_id)
    if session is None:
        return
    if not draft.tracks(session.user_id):
        drop(draft, session, change.at)
    elif change.roles != session.roles:
        following = _next_span(draft, session, seen(change.at, change.replayed_from))
        _save(draft, replace(following, roles=change.roles), following.span_at)


def join(draft: Draft, who: Presence, channel_id: int, when: Window) -> Session:
    """Open a session, never before the user's last one ended."""
    joined_at = max(when.at, draft.left.get(who.user_id, when.at))
    session = Session(
        user_id=who.user_id,
        channel_id=channel_id,
        joined_at=joined_at,
        flags=who.flags,
        span_at=joined_at,
        chain_at=joined_at,
        # The whole window: where the last session ended is certain only from its own window's beginning on.
        joined_slack_ms=when.at - when.earliest,
        gateway_session_id=who.gateway_session_id,
        roles=who.roles or (),
    )
    draft.open(session)
    draft.effects.append(SaveSession(draft.guild_id, session, at=joined_at))
    return session


def leave(draft: Draft, session: Session, when: Window, status: Status = Status.COMPLETED) -> bool:
    """Close a session; return whether it leaves a row.

    It leaves none if even its longest reading is shorter than the minimum, or its member opted out since.
    """
    if not draft.tracks(session.user_id):
        drop(draft, session, when.at)
        return False
    certain = _before_gap(session, when)
    left_at = max(when.earliest, certain.span_at)
    slack_ms = max(when.at, left_at) - left_at
    longest_ms = left_at + slack_ms - session.joined_at + session.joined_slack_ms
    if longest_ms < draft.rules.min_session_ms:
        drop(draft, session, left_at + slack_ms)
        return False
    if certain is not session:
        draft.effects.append(DropSpans(draft.guild_id, session.user_id, session.joined_at, certain.span_at))
    # A session of no length keeps its millisecond: the next one must not get the same id.
    draft.close(session, max(left_at, session.joined_at + 1))
    draft.effects.append(SaveSession(draft.guild_id, certain, left_at + slack_ms, left_at, slack_ms, status))
    return True


def _before_gap(session: Session, when: Window) -> Session:
    """Return the session as it was before it was cut in the very gap that a leave lies in.

    A RESUME replays them one by one: each has bridged the gap up to its own replay, yet the leave that
    follows may lie anywhere in it.
    """
    gap_from = max(when.earliest, session.joined_at)
    if session.bridged and when.earliest < when.at and gap_from < session.span_at:
        return replace(session, span_at=gap_from)
    return session


def drop(draft: Draft, session: Session, at: int) -> None:
    """Forget a session altogether."""
    draft.close(session, None)
    dropped_at = max(at, session.span_at)
    draft.effects.append(DropSession(draft.guild_id, session.user_id, session.joined_at, dropped_at))


def move(draft: Draft, session: Session, who: Presence, channel_id: int, when: Window) -> None:
    """Close one session and open the next of its chain; the chain runs through one that leaves no row."""
    kept = leave(draft, session, when)
    previous_at = session.joined_at if kept else session.previous_at
    following = join(draft, who, channel_id, _not_before(session.span_at, when))
    created_at = draft.created.get(channel_id)
    following = replace(
        following,
        chain_at=following.chain_at if previous_at is None else session.chain_at,
        previous_at=previous_at,
        via_channel_creation=created_at is not None
        and 0 <= when.at - created_at <= draft.rules.channel_creation_ms,
        roles=_roles(session, who),
    )
    draft.open(following)
    draft.effects[-1] = SaveSession(draft.guild_id, following, at=following.joined_at)


def _not_before(boundary_at: int, when: Window) -> Window:
    """Hold a late entry at the last boundary of what it touches; a window keeps its slack."""
    late = when.at < boundary_at and when.earliest == when.at
    return Window(boundary_at, boundary_at) if late else when


def cut(draft: Draft, session: Session, who: Presence, when: Window) -> None:
    """End the current span where a flag or the roles have changed."""
    if who.flags != session.flags or not (who.roles == session.roles or who.roles is None):
        _go_on(draft, _next_span(draft, session, when), who)
    elif who.gateway_session_id != session.gateway_session_id:
        _save(draft, replace(session, gateway_session_id=who.gateway_session_id), when.at)


def _next_span(draft: Draft, session: Session, when: Window) -> Session:
    """End the current span, and return the session at the beginning of its next."""
    if when.earliest < when.at:
        return bridge_spans(draft, session, when)
    at = max(when.at, session.span_at)
    _end_span(draft, session, at, session.flags)
    return replace(session, span_at=at)


def _roles(session: Session, who: Presence) -> tuple[int, ...]:
    """Return the roles from now on: those known, and the very tuple, where nothing else is told."""
    return session.roles if who.roles is None or who.roles == session.roles else who.roles


def bridge(draft: Draft, session: Session, who: Presence, when: Window) -> None:
    """Let a session run on over a gap at both ends of which the same presence stood."""
    _go_on(draft, bridge_spans(draft, session, when), who)


def _go_on(draft: Draft, session: Session, who: Presence) -> None:
    """Save a session at the beginning of a span, as it is from then on."""
    going_on = replace(
        session, flags=who.flags, roles=_roles(session, who), gateway_session_id=who.gateway_session_id
    )
    _save(draft, going_on, session.span_at)


def bridge_spans(draft: Draft, session: Session, when: Window) -> Session:
    """Write the span up to the gap and the gap itself, whose flags and roles nobody saw: the last known."""
    start = max(when.earliest, session.span_at)
    end = max(when.at, start)
    _end_span(draft, session, start, session.flags)
    _end_span(draft, replace(session, span_at=start), end, session.flags | VoiceFlags.BRIDGED)
    return replace(session, span_at=end, bridged=session.bridged or end > start)


def _end_span(draft: Draft, session: Session, at: int, flags: int) -> None:
    it = session
    if at > it.span_at:
        draft.effects.append(
            SaveSpan(draft.guild_id, it.user_id, it.joined_at, it.span_at, at, int(flags), it.roles)
        )


def _save(draft: Draft, session: Session, at: int) -> None:
    draft.open(session)
    draft.effects.append(SaveSession(draft.guild_id, session, at=at))
