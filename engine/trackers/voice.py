"""Who is in which voice channel now."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeAlias

from engine.domain.guild import GuildState
from engine.domain.inputs import VoiceFlags
from engine.domain.sessions import Session
from engine.domain.tracking import Presence
from engine.trackers.changes import Changes, Sight
from engine.trackers.source import Source

# Plain integers: the operators of IntFlag cost more than all the rest.
_DEAFENED = int(VoiceFlags.SELF_DEAF | VoiceFlags.DEAF)
_MUTED = int(VoiceFlags.SELF_MUTE | VoiceFlags.MUTE)

# Sync or async, given the id of a guild whose voice has changed.
Callback: TypeAlias = Callable[[int], Coroutine[Any, Any, None] | None]
# Ends the tracker's run under way with an error. Set by what runs it.
fail_run: ContextVar[Callable[[BaseException], None] | None] = ContextVar("fail_run", default=None)


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a voice channel. ``deafened`` and ``muted``: by themselves or by the server."""

    user_id: int
    bot: bool
    deafened: bool
    muted: bool
    roles: tuple[int, ...]


class VoiceView:
    """The engine's voice states, as its actors last decided. Any thread may ask."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def members(self, guild_id: int, channel_id: int) -> list[Member]:
        """Return who is in a channel, other bots included; this bot itself is not among them."""
        state = self._source.guild(guild_id)
        return [] if state is None else list(_members(state, channel_id))

    def channel_of(self, guild_id: int, user_id: int) -> int | None:
        """Return the channel in which somebody is, this bot included; None: in no voice channel."""
        state = self._source.guild(guild_id)
        if state is None:
            return None
        if user_id == state.own_user_id:
            return None if state.player is None else state.player.channel_id
        there = state.sessions.get(user_id) or state.bots.get(user_id)
        return None if there is None else there.channel_id

    def changes(self) -> Changes:
        """Return an endless async iterator of the guilds whose voice changes, oldest change first.

        It begins with the guilds that have a player or an active event. Changes that come faster than they
        are taken become one per guild. A guild comes again, too, when a tracker's mark of its player is set
        or taken. Call it where an event loop runs: in ``run``.
        """
        return Changes(self._source, _voice, self._looked_at)

    def _looked_at(self) -> set[int]:
        players, events = self._source.players(), self._source.events()
        return {it.guild_id for it in players} | {it.guild_id for it in events}

    def subscribe(self, callback: Callback) -> Callable[[], None]:
        """Have ``callback(guild_id)`` called for each of ``changes``, one by one; return what ends it.

        Call it in ``run``. What the callback raises ends that run as if ``run`` had raised it.
        """
        changes = self.changes()
        task = asyncio.get_running_loop().create_task(_call(changes, callback), name="voice-subscription")
        _subscriptions.add(task)
        task.add_done_callback(_subscriptions.discard)

        def end() -> None:
            changes.close()
            if task is not asyncio.current_task(task.get_loop()):
                task.cancel()

        return end


# An event loop holds its tasks weakly.
_subscriptions: set["asyncio.Task[None]"] = set()


async def _call(changes: Changes, callback: Callback) -> None:
    try:
        async for guild_id in changes:
            answer = callback(guild_id)
            if answer is not None:
                await answer
    except Exception as error:
        fail = fail_run.get()
        if fail is None:
            raise
        fail(error)
    finally:
        changes.close()


def _voice(state: GuildState) -> Sight:
    """Return what changes with a guild's voice. Mappings are not compared: each change makes a new one."""
    player, subject = state.player, state.subject
    if not state.sessions and not state.bots and player is None:
        return None
    place = None if player is None else (player.channel_id, player.since)
    marks = () if subject is None else tuple(subject.marks)
    return _Same(state.sessions), _Same(state.bots), place, marks


class _Same:
    """Equal only to another of the very same object."""

    __slots__ = ("_it",)

    def __init__(self, it: object) -> None:
        self._it = it

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self._it is other._it

    __hash__ = None  # type: ignore[assignment]  # what it stands for may change


def _members(state: GuildState, channel_id: int) -> Iterator[Member]:
    for user_id, session in state.sessions.items():
        if session.channel_id == channel_id and user_id != state.own_user_id:
            yield _member(session, user_id in state.bots)
    for user_id, presence in state.bots.items():
        if presence.channel_id == channel_id and user_id not in state.sessions:
            yield _member(presence, True)


def _member(it: Session | Presence, bot: bool) -> Member:
    return Member(it.user_id, bot, bool(it.flags & _DEAFENED), bool(it.flags & _MUTED), it.roles)
