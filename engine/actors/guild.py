"""The actor of one guild: it serializes whatever concerns that guild."""

import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

from engine.actors.pool import Dispatcher, PooledActor
from engine.domain.effects import Effect
from engine.domain.gateway import Connections
from engine.domain.guild import GuildState
from engine.domain.inputs import GuildInput
from engine.domain.rules import Rules
from engine.domain.sessions import Session
from engine.domain.step import steps
from engine.domain.views import flag_names, iso
from engine.storage.protocols import StorageError

Share = Sequence[tuple[GuildInput, Connections, Any]]


class Round:
    """A batch on its way through several guilds: collects their effects and failures, and wakes who waits."""

    def __init__(self, guilds: int) -> None:
        self.failed: dict[int, str] = {}
        self.unknown: dict[int, StorageError] = {}
        self._effects: list[list[Effect]] = []
        # No lock: appending, storing and counting are each one step of the interpreter.
        self._missing = iter(range(guilds - 1, -1, -1))
        self._complete = threading.Event()

    @property
    def effects(self) -> Iterable[Effect]:
        """Return what the guilds want done, each guild's in order."""
        return chain.from_iterable(self._effects)

    def done(self, effects: list[Effect]) -> None:
        """Take one guild's effects."""
        self._effects.append(effects)
        if next(self._missing) == 0:
            self._complete.set()

    def fail(self, guild_id: int, reason: str) -> None:
        """Note that a guild's actor did not take its share."""
        self.failed[guild_id] = reason
        self.done([])

    def not_known(self, guild_id: int, error: StorageError) -> None:
        """Note that the ledger could not tell a guild's state: its actor lives, and has taken nothing."""
        self.unknown[guild_id] = error
        self.done([])

    def wait(self, timeout_s: float) -> bool:
        """Wait for every guild; False if time ran out."""
        return self._complete.wait(timeout_s)


class Take(NamedTuple):
    """Take a share of a batch, and answer to the round."""

    share: Share
    round: Round


class Describe(NamedTuple):
    """Ask for the whole state, as plain values."""


class GuildActor(PooledActor):
    """Owns the state of one guild: decides with the step, then adopts; the partition commits.

    An exception in the step leaves the state as it was, is told to the round and ends the actor. Its
    successor loads the state from the ledger.
    """

    def __init__(
        self, dispatcher: Dispatcher, guild_id: int, load: Callable[[int], GuildState], rules: Rules
    ) -> None:
        super().__init__(dispatcher)
        self._guild_id = guild_id
        self._load = load
        self._rules = rules
        self._state: GuildState | None = None

    def on_receive(self, message: Take | Describe) -> object:
        """Take a share (tell) or describe the state (ask)."""
        if type(message) is not Take:
            return describe(self._known())
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
        self._state = state
        message.round.done(effects)

    def _known(self) -> GuildState:
        # Loaded at the first message and not in on_start: a failure then has a message to be told to.
        if self._state is None:
            self._state = self._load(self._guild_id)
        return self._state


def describe(state: GuildState) -> dict[str, Any]:
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
        "recentlyLeft": {str(user_id): iso(at) for user_id, at in state.left.items()},
        "recentlyCreatedChannels": {str(channel_id): iso(at) for channel_id, at in state.created.items()},
    }


def _describe_session(session: Session) -> dict[str, Any]:
    return {
        "userId": str(session.user_id),
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
