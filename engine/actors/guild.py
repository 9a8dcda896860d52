"""The actor of one guild: it serializes whatever concerns that guild."""

from collections.abc import Callable
from typing import Any

from engine.actors.pool import Dispatcher, PooledActor
from engine.actors.rounds import Describe, Take
from engine.domain import inactivity
from engine.domain.guild import GuildState
from engine.domain.ids import person
from engine.domain.rules import Rules
from engine.domain.sessions import Session
from engine.domain.step import steps
from engine.domain.tracking import Override, Player, Subject
from engine.domain.views import flag_names, iso
from engine.storage.protocols import StorageError


def _to_nobody(_state: GuildState) -> None:
    """Publish nothing."""


class GuildActor(PooledActor):
    """Owns the state of one guild: decides with the step, then adopts; the partition commits.

    An exception in the step leaves the state as it was, is told to the round and ends the actor. Its
    successor loads the state from the ledger.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        guild_id: int,
        load: Callable[[int], GuildState],
        rules: Rules,
        publish: Callable[[GuildState], None] = _to_nobody,
    ) -> None:
        super().__init__(dispatcher)
        self._publish = publish
        self._guild_id = guild_id
        self._load = load
        self._rules = rules
        self._state: GuildState | None = None

    def on_receive(self, message: Take | Describe) -> object:
        """Take a share (tell) or describe the state (ask)."""
        if type(message) is not Take:
            return describe(self._known(), self._rules)
        self._take(message)
        return None

    def _take(self, message: Take) -> None:
        try:
            state, effects = steps(self._known(), message.share, self._rules)
        except StorageError as error:
            message.round.not_known(self._guild_id, error)  # no entry is to blame: the partition decides
            return
        except BaseException as error:
            message.round.fail(self._guild_id, f"{type(error).__name__}: {error}")
            raise
        if state is not self._state:
            self._state = state
            self._publish(state)
        message.round.done(self._guild_id, effects)

    def _known(self) -> GuildState:
        # Loaded at the first message and not in on_start: a failure then has a message to be told to.
        if self._state is None:
            self._state = self._load(self._guild_id)
        return self._state


def describe(state: GuildState, rules: Rules) -> dict[str, Any]:
    """Return a guild's whole state as plain values: ids are strings, moments ISO 8601."""
    return {
        "guildId": str(state.guild_id),
        "name": state.name,
        "present": state.present,
        "ownUserId": _text(state.own_user_id),
        "afkChannelId": _text(state.afk_channel_id),
        "connection": state.connection,
        "confirmedAt": _moment(state.confirmed_at),
        "lostAt": _moment(state.lost_at),
        "openSessions": [_describe_session(it) for it in state.sessions.values()],
        "recentlyLeft": {person(user_id): iso(at) for user_id, at in state.left.items()},
        "recentlyCreatedChannels": {str(channel_id): iso(at) for channel_id, at in state.created.items()},
        "bots": {str(it.user_id): str(it.channel_id) for it in state.bots.values()},
        "player": state.player and _describe_player(state.player),
        "subject": state.subject and describe_subject(state.subject, rules),
    }


def _describe_player(player: Player) -> dict[str, Any]:
    return {
        "channelId": str(player.channel_id),
        "since": iso(player.since),
        "state": player.state.name.lower(),
        "pausedByUs": player.paused_by_us,
    }


def describe_subject(subject: Subject, rules: Rules) -> dict[str, Any]:
    """Return what trackers say of a player or an event, and why it stands where it does."""
    return {
        "state": subject.state.name.lower(),
        "why": inactivity.why(subject, rules.tracking),
        "deadline": _moment(subject.deadline),
        "marks": {
            label: {"since": iso(it.since), "timeoutMs": it.timeout_ms} for label, it in subject.marks.items()
        },
        "silent": {label: iso(at) for label, at in subject.silent.items()},
        "override": subject.override and _describe_override(subject.override),
        "postponedMs": subject.postponed_ms,
        "ignored": subject.ignored,
        "askedAt": _moment(subject.asked_at),
    }


def _describe_override(it: Override) -> dict[str, Any]:
    return {"timeoutMs": it.timeout_ms, "trackers": it.trackers, "exempt": it.exempt}


def _describe_session(session: Session) -> dict[str, Any]:
    return {
        "userId": person(session.user_id),
        "channelId": str(session.channel_id),
        "joinedAt": iso(session.joined_at),
        "joinedSlackMs": session.joined_slack_ms,
        "flags": [name for name, on in flag_names(session.flags).items() if on],
        "spanAt": iso(session.span_at),
        "chainAt": iso(session.chain_at),
        "previousAt": _moment(session.previous_at),
        "viaChannelCreation": session.via_channel_creation,
        "bridged": session.bridged,
        "gatewaySessionId": session.gateway_session_id,
    }


def _moment(at: int | None) -> str | None:
    return None if at is None else iso(at)


def _text(snowflake: int | None) -> str | None:
    return None if snowflake is None else str(snowflake)
