"""The guild's step: ``step(state, input) -> (state, effects)``. Every input has its one line in the table."""

from collections.abc import Callable, Iterable
from typing import Any

from engine.domain import player_subject, players
from engine.domain.effects import DropChannel, Effect, SaveChannel, SaveMember, SettleOutbox
from engine.domain.gateway import Connections
from engine.domain.guild import Draft, GuildState
from engine.domain.inputs import (
    ChannelChanged,
    ChannelCreated,
    ChannelDeleted,
    GuildChanged,
    GuildLost,
    GuildSnapshot,
    GuildUnavailable,
    MemberNamed,
    MemberRemoved,
    OutboxOutcome,
    RolesChanged,
    ToGuild,
    VoiceStateChanged,
)
from engine.domain.reconcile import guild_lost, reconcile
from engine.domain.rules import Rules
from engine.domain.sessions import seen
from engine.domain.tracker_inputs import (
    ExpiryDecided,
    PlayerReported,
    ScopeCommitted,
    SubjectOverridden,
    TimePassed,
    TrackersKnown,
)
from engine.domain.voice import leave, roles_changed, voice_state_changed


def step(
    state: GuildState, what: ToGuild, connections: Connections, rules: Rules, now: int | None = None
) -> tuple[GuildState, list[Effect]]:
    """Take one input; ``connections`` and the partition's time ``now`` are as of that input.

    Without ``now``, the input's own moment is that time. The given state is not touched.
    """
    return steps(state, [(what, connections, None, what.at if now is None else now)], rules)


def steps(
    state: GuildState, inputs: Iterable[tuple[ToGuild, Connections, Any, int]], rules: Rules
) -> tuple[GuildState, list[Effect]]:
    """Take several inputs in order, as so many steps, for the price of one copy.

    Items are as ``partition.Admission`` has them; a record is the caller's. What is due by an item's time
    happens before it, at its own moment.
    """
    draft = Draft(state, rules)
    for what, connections, _, now in inputs:
        if now >= draft.due_at:
            player_subject.pass_time(draft, now)
        if type(what) is VoiceStateChanged:  # nearly all of them
            voice_state_changed(draft, what)
        elif type(what) is GuildSnapshot:
            reconcile(draft, what, connections)
        elif type(what) is GuildLost:
            guild_lost(draft, what, connections)
        else:
            _TABLE[type(what)](draft, what)
            if now >= draft.due_at:  # what it set has passed already
                player_subject.pass_time(draft, now)
    if draft.state.subject is not state.subject:
        player_subject.wake(draft, state.subject)
    return draft.finish(), draft.effects


def _channel_created(draft: Draft, what: ChannelCreated) -> None:
    draft.channel_created(what.channel_id, what.at)
    draft.effects.append(SaveChannel(draft.guild_id, what.channel_id, what.name, what.kind, what.at))


def _channel_changed(draft: Draft, what: ChannelChanged) -> None:
    draft.effects.append(SaveChannel(draft.guild_id, what.channel_id, what.name, what.kind))


def _channel_deleted(draft: Draft, what: ChannelDeleted) -> None:
    inside = [it for it in draft.sessions.values() if it.channel_id == what.channel_id]
    for session in inside:
        leave(draft, session, seen(what.at, what.replayed_from))
    players.channel_deleted(draft, what.channel_id)
    draft.effects.append(DropChannel(draft.guild_id, what.channel_id, what.at))


def _member_removed(draft: Draft, what: MemberRemoved) -> None:
    session = draft.sessions.get(what.user_id)
    if session is not None:
        leave(draft, session, seen(what.at, what.replayed_from))
    players.member_removed(draft, what.user_id)


def _member_named(draft: Draft, what: MemberNamed) -> None:
    if draft.tracks(what.user_id):
        draft.effects.append(SaveMember(draft.guild_id, what.user_id, what.name))


def _guild_changed(draft: Draft, what: GuildChanged) -> None:
    draft.know(what.at, name=what.name, afk_channel_id=what.afk_channel_id)


def _guild_unavailable(draft: Draft, what: GuildUnavailable) -> None:
    if draft.state.lost_at is None:
        draft.know(what.at, lost_at=seen(what.at, what.replayed_from).earliest)


def _outbox_outcome(draft: Draft, what: OutboxOutcome) -> None:
    draft.effects.append(SettleOutbox(what.outbox_id, what.ok, what.detail, what.at))


def _time_passed(draft: Draft, what: TimePassed) -> None:
    """Do nothing more: whatever is due by then has happened."""


_TABLE: dict[type, Callable[[Draft, Any], None]] = {
    ChannelCreated: _channel_created,
    ChannelChanged: _channel_changed,
    ChannelDeleted: _channel_deleted,
    MemberRemoved: _member_removed,
    RolesChanged: roles_changed,
    MemberNamed: _member_named,
    GuildChanged: _guild_changed,
    GuildUnavailable: _guild_unavailable,
    OutboxOutcome: _outbox_outcome,
    ScopeCommitted: player_subject.scope_committed,
    TrackersKnown: player_subject.trackers_known,
    SubjectOverridden: player_subject.subject_overridden,
    ExpiryDecided: player_subject.expiry_decided,
    PlayerReported: player_subject.player_reported,
    TimePassed: _time_passed,
}
