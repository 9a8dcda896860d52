"""The trackers that are built in: ordinary ones, written with nothing but what own ones have."""

import asyncio
from collections.abc import Iterable

from engine.domain.events import Event
from engine.domain.tracking import Mark, PlayerState
from engine.trackers.context import TrackerContext
from engine.trackers.durations import maybe_milliseconds
from engine.trackers.events import EventRegistry
from engine.trackers.players import Player, PlayerRegistry
from engine.trackers.tracker import EVENTS, PLAYERS, Tracker, TrackerOptions
from engine.trackers.voice import VoiceView

# How often events that have begun since are looked for.
SWEEP_S = 5.0


class UsersTracker(Tracker):
    """A player is inactive while fewer than ``threshold`` listen to it; with 0 it never is.

    Other bots are counted with ``count_bots`` only, the deafened unless ``count_deafened`` is false.
    """

    options = TrackerOptions.realtime("users")
    reports_on = PLAYERS

    def __init__(  # noqa: PLR0913 - the last four are named
        self,
        voice: VoiceView,
        players: PlayerRegistry,
        *,
        threshold: int = 1,
        count_bots: bool = False,
        count_deafened: bool = True,
        timeout_s: float | None = None,
    ) -> None:
        if isinstance(threshold, bool) or not isinstance(threshold, int) or threshold < 0:
            raise ValueError(f"threshold must be a number of users from 0 on, not {threshold!r}")
        maybe_milliseconds(timeout_s, "timeout_s")
        self._voice, self._players = voice, players
        self._threshold, self._timeout_s = threshold, timeout_s
        self._count_bots, self._count_deafened = count_bots, count_deafened

    async def run(self, context: TrackerContext) -> None:
        """Look at each player whose guild's voice has changed, first at all that are there."""
        async for guild_id in self._voice.changes():
            player = self._players.get(guild_id)
            if player is not None:
                tell(context, guild_id, self._listeners(player) < self._threshold, self._timeout_s)

    def _listeners(self, player: Player) -> int:
        return sum(
            (self._count_bots or not it.bot) and (self._count_deafened or not it.deafened)
            for it in self._voice.members(player.guild_id, player.channel_id)
        )


class IdleTracker(Tracker):
    """A player is inactive while it plays nothing. A pause that Rollcall made is no idleness.

    ``initial_timeout_s``: of one that has not been heard yet, None: as ``timeout_s``. Without
    ``track_new_players`` such a one is not inactive at all. ``states``: which of ``idle``, ``paused`` and
    ``playing`` are meant.
    """

    options = TrackerOptions.realtime("idle")
    reports_on = PLAYERS

    def __init__(
        self,
        players: PlayerRegistry,
        *,
        timeout_s: float | None = None,
        initial_timeout_s: float | None = None,
        states: Iterable[str] = ("idle", "paused"),
        track_new_players: bool = True,
    ) -> None:
        maybe_milliseconds(timeout_s, "timeout_s")
        maybe_milliseconds(initial_timeout_s, "initial_timeout_s")
        self._players, self._timeout_s = players, timeout_s
        self._initial_timeout_s = timeout_s if initial_timeout_s is None else initial_timeout_s
        self._idle_states = frozenset(map(_player_state, states))
        self._track_new_players = track_new_players
        self._heard: dict[int, int] = {}  # since when the player is there that was heard, by guild

    async def run(self, context: TrackerContext) -> None:
        """Look at each player that has changed, first at all that are there."""
        async for guild_id in self._players.changes():
            player = self._players.get(guild_id)
            if player is None:
                self._heard.pop(guild_id, None)
            else:
                self._look(context, player)

    def _look(self, context: TrackerContext, player: Player) -> None:
        ours = player.state is PlayerState.PAUSED and player.paused_by_us
        idle = player.state in self._idle_states and not ours
        if not idle:
            self._heard[player.guild_id] = player.since
        held = context.entry(player.guild_id)
        is_new = self._heard.get(player.guild_id) != player.since
        if held is None and is_new and not self._track_new_players:
            return
        timeouts = (self._timeout_s, self._initial_timeout_s)
        tell(context, player.guild_id, idle, _kept(held, *timeouts) if is_new else self._timeout_s)


class AbandonedTracker(Tracker):
    """An event is inactive while nobody in its channels has time that counts.

    ``initial_timeout_s``: of one to which nobody has come yet, None: as ``timeout_s``.
    """

    options = TrackerOptions.realtime("abandoned")
    reports_on = EVENTS

    def __init__(
        self,
        events: EventRegistry,
        voice: VoiceView,
        *,
        timeout_s: float | None = None,
        initial_timeout_s: float | None = None,
    ) -> None:
        maybe_milliseconds(timeout_s, "timeout_s")
        maybe_milliseconds(initial_timeout_s, "initial_timeout_s")
        self._events, self._voice, self._timeout_s = events, voice, timeout_s
        self._initial_timeout_s = timeout_s if initial_timeout_s is None else initial_timeout_s
        self._held: dict[int, list[Event]] = {}  # by guild, as of the last sweep
        self._visited: set[int] = set()

    async def run(self, context: TrackerContext) -> None:
        """Look at the events of each guild whose voice has changed, and now and then at all."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._sweep(context))
            both.create_task(self._follow(context))

    async def _sweep(self, context: TrackerContext) -> None:
        while True:
            self._held = {}
            for event in self._events:
                self._held.setdefault(event.guild_id, []).append(event)
                self._look(context, event)
            self._visited &= {it.event_id for held in self._held.values() for it in held}
            await asyncio.sleep(SWEEP_S)

    async def _follow(self, context: TrackerContext) -> None:
        async for guild_id in self._voice.changes():
            for event in self._held.get(guild_id, ()):
                self._look(context, event)

    def _look(self, context: TrackerContext, event: Event) -> None:
        """Both tasks take their turns in one event loop, so this is one look after the other."""
        empty = not self._events.counted(event)
        if not empty:
            self._visited.add(event.event_id)
        held = context.entry_of_event(event)
        timeout_s = self._timeout_s
        if event.event_id not in self._visited:
            timeout_s = _kept(held, timeout_s, self._initial_timeout_s)
        if not _is_told(held, empty, timeout_s):
            with context.scope() as scope:
                if empty:
                    scope.mark_event_inactive(event.event_id, timeout_s)
                else:
                    scope.mark_event_active(event.event_id)


def tell(context: TrackerContext, guild_id: int, inactive: bool, timeout_s: float | None) -> None:
    """Commit what a tracker found of a player, unless it is what it said last."""
    if _is_told(context.entry(guild_id), inactive, timeout_s):
        return
    with context.scope() as scope:
        if inactive:
            scope.mark_inactive(guild_id, timeout_s)
        else:
            scope.mark_active(guild_id)


def _is_told(held: Mark | None, inactive: bool, timeout_s: float | None) -> bool:
    if held is None or not inactive:
        return (held is not None) == inactive
    return held.timeout_ms == maybe_milliseconds(timeout_s, "timeout_s")


def _kept(held: Mark | None, timeout_s: float | None, initial_timeout_s: float | None) -> float | None:
    """Return the timeout of what may be new: whoever was told the usual one in an earlier life was not."""
    usual = held is not None and held.timeout_ms == maybe_milliseconds(timeout_s, "timeout_s")
    return timeout_s if usual else initial_timeout_s


def _player_state(name: str | PlayerState) -> PlayerState:
    known = {it.name.lower(): it for it in PlayerState}
    if isinstance(name, PlayerState):
        return name
    if name not in known:
        raise ValueError(f"states may name {', '.join(known)}, not {name!r}")
    return known[name]
