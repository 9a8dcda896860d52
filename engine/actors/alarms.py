"""When a partition's guilds must be told that time has passed: their players' deadlines."""

from collections.abc import Iterable
from typing import Any

from engine.actors.deadlines import Deadlines
from engine.domain.effects import Effect
from engine.domain.inactivity import next_at
from engine.domain.partition import PartitionState
from engine.domain.rules import TrackingRules
from engine.domain.tracker_effects import WakeAt
from engine.domain.tracker_inputs import TimePassed
from engine.domain.tracking import Subject, SubjectKind


class Alarms:
    """Belongs to the partition's thread; ``in_order`` may be called from any."""

    def __init__(self, rules: TrackingRules) -> None:
        self._rules = rules
        self._deadlines = Deadlines()

    def begin(self, subjects: Iterable[tuple[int, Subject]]) -> None:
        """Set the alarms that the ledger knows of."""
        for guild_id, subject in subjects:
            if subject.kind is SubjectKind.PLAYER:
                self._deadlines.set(guild_id, next_at(subject, self._rules))

    def ring(self, shares: dict[int, list[Any]], state: PartitionState) -> None:
        """Tell the guilds whose time has come, behind their share of the batch that has shown it."""
        for guild_id in self._deadlines.due(state.now):
            passed = (TimePassed(state.now, guild_id), state.connections, None, state.now)
            shares.setdefault(guild_id, []).append(passed)

    def hear(self, done: Iterable[tuple[int, list[Effect]]]) -> None:
        """Set the alarms that the guilds' steps ask for."""
        for guild_id, effects in done:
            if effects and type(last := effects[-1]) is WakeAt:
                self._deadlines.set(guild_id, last.at)

    def in_order(self) -> list[tuple[int, int]]:
        """Return all as ``(at, guild_id)``, the next first."""
        return self._deadlines.in_order()
