"""After a time nobody watched a guild: its snapshot is compared, or it is lost (rule 6, "Gaps")."""

from collections import Counter

from msgspec.structs import replace

from engine.domain import gateway, ids, players
from engine.domain.effects import PostMessage, SaveChannel, Status
from engine.domain.gateway import Connections
from engine.domain.guild import Draft, GuildState
from engine.domain.inputs import GuildLost, GuildSnapshot, VoiceFlags, VoiceState
from engine.domain.sessions import Session, Window, seen
from engine.domain.voice import bridge, cut, drop, join, leave, move


def reconcile(draft: Draft, snapshot: GuildSnapshot, connections: Connections) -> None:
    """Close who is gone, continue who stayed, open who came, each with the slack of the gap."""
    gap_from = _gap_from(draft.state, snapshot.connection, snapshot.at, connections)
    bots = players.bots_in(draft.state, snapshot)
    _drop_untracked(draft, snapshot.at, bots)
    tracked = (it for it in snapshot.voice_states if draft.tracks(it.user_id, it.user_id in bots))
    states = {it.user_id: marked(it) if it.user_id in bots else it for it in tracked}
    counts: Counter[str] = Counter()
    for session in list(draft.sessions.values()):
        counts[_settle(draft, session, states.get(session.user_id), snapshot.at, gap_from)] += 1
    for state in states.values():
        if state.user_id not in draft.sessions:
            when = Window(snapshot.at, _earliest(draft, state, snapshot.at, gap_from))
            join(draft, state, state.channel_id, when)
            counts["joined"] += 1
    _know(draft, snapshot)
    players.reconcile_bots(draft, snapshot, bots)
    if gap_from is not None:
        _report(draft, snapshot, snapshot.at - gap_from, counts)


def marked(state: VoiceState) -> VoiceState:
    """Mark a bot's state, for its session."""
    return replace(state, flags=state.flags | VoiceFlags.BOT)


def guild_lost(draft: Draft, what: GuildLost, connections: Connections) -> None:
    """Cancel all open sessions. Where nobody watched, they may have ended at any moment of the gap."""
    when = seen(what.at, what.replayed_from)
    gap_from = _gap_from(draft.state, what.connection, what.at, connections)
    if gap_from is not None:
        when = Window(what.at, min(gap_from, when.earliest))
    for session in list(draft.sessions.values()):
        leave(draft, session, when, Status.CANCELLED)
    players.all_gone(draft)
    draft.know(what.at, present=False, connection=None, lost_at=when.earliest)


def _drop_untracked(draft: Draft, at: int, bots: set[int]) -> None:
    """Forget whoever was taken for a person until now, or opted out since."""
    for session in list(draft.sessions.values()):
        if not draft.tracks(session.user_id, session.user_id in bots):
            drop(draft, session, at)


def _gap_from(state: GuildState, current: str | None, at: int, connections: Connections) -> int | None:
    """Return since when the guild was not watched up to ``at``; None if it always was, or never before."""
    if current is None or state.connection in (None, current):
        lost_at = None
    else:
        # A connection so old that it is forgotten: the guild was certainly watched when last confirmed.
        lost_at = gateway.lost_at(connections, state.connection, current) or state.confirmed_at
    moments = [it for it in (lost_at, state.lost_at) if it is not None]
    return min(*moments, at) if moments else None


def _settle(draft: Draft, session: Session, state: VoiceState | None, at: int, gap_from: int | None) -> str:
    # Without a gap a difference means that an update was lost: it lies after the last that is known.
    known_at = max(session.span_at, draft.state.confirmed_at or session.span_at)
    when = Window(at, min(at, known_at) if gap_from is None else gap_from)
    if state is None:
        leave(draft, session, when)
        return "left"
    here, there = session.gateway_session_id, state.gateway_session_id
    same_presence = here == there or here is None or there is None
    if (session.flags ^ state.flags) & VoiceFlags.BOT:  # taken for something else until now
        same_presence = False
    if state.channel_id != session.channel_id and same_presence:
        move(draft, session, state, state.channel_id, when)
        return "moved"
    if state.channel_id != session.channel_id or not same_presence:
        leave(draft, session, when)
        return "returned"
    if gap_from is None:
        cut(draft, session, state, when)
    else:
        bridge(draft, session, state, when)
    return "stayed"


def _earliest(draft: Draft, state: VoiceState, at: int, gap_from: int | None) -> int:
    """Return before when this member cannot have joined."""
    if gap_from is not None:
        return gap_from
    if draft.state.confirmed_at is not None:
        return min(at, draft.state.confirmed_at)
    # Seen for the first time: nobody can have been in the channel before it was made.
    return min(at, ids.created_at(state.channel_id))


def _know(draft: Draft, snapshot: GuildSnapshot) -> None:
    draft.effects += [
        SaveChannel(draft.guild_id, channel.channel_id, channel.name, channel.kind)
        for channel in snapshot.channels
    ]
    draft.know(
        snapshot.at,
        name=snapshot.name,
        afk_channel_id=snapshot.afk_channel_id,
        own_user_id=snapshot.own_user_id,
        connection=snapshot.connection,
        confirmed_at=snapshot.at,
        lost_at=None,
        present=True,
    )


def _report(draft: Draft, snapshot: GuildSnapshot, gap_ms: int, counts: Counter[str]) -> None:
    if draft.rules.log_channel_id is None or not counts:
        return
    told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    draft.effects.append(
        PostMessage(
            outbox_id=f"gap-{draft.guild_id}-{snapshot.at}",
            guild_id=draft.guild_id,
            channel_id=draft.rules.log_channel_id,
            content=f"{snapshot.name or draft.guild_id}: not watched for {gap_ms / 1000:.3f} s; {told}.",
            at=snapshot.at,
        )
    )
