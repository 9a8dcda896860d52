"""What a tracker is given to say its word with."""

import threading
from collections.abc import Callable
from math import inf

from engine.domain.events import Event
from engine.domain.tracker_inputs import ScopeCommitted, SubjectMark
from engine.domain.tracking import Mark, SubjectKind
from engine.trackers.entries import Entries, held_events
from engine.trackers.gate import Gate
from engine.trackers.pace import Pace
from engine.trackers.scope import Door, Marks, Scope, ScopeClosedError
from engine.trackers.source import Journal, Source

BOTH = frozenset(SubjectKind)


class NotJournaledError(Exception):
    """The journal takes nothing now. The tracker is not to blame."""


class TrackerContext:
    """One tracker's, from its start to its end or its next start.

    ``now``: ms UTC. ``pace``: of all its lives; None: as fast as it likes.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a tracker is given to say its word with
        self,
        label: str,
        source: Source,
        journal: Journal,
        now: Callable[[], int],
        reports_on: frozenset[SubjectKind] = BOTH,
        pace: Pace | None = None,
    ) -> None:
        self.label = label
        self._source, self._journal, self._now = source, journal, now
        self._reports_on = reports_on
        self._gate, self._entries = Gate(), Entries(label, source)
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._door = Door(self._commit, pace or Pace(label, inf), self._ended)

    def scope(self) -> Scope:
        """Return a scope for some marks: ``with context.scope() as scope: ...``, or ``async with``."""
        return Scope(self.label, self._gate, self._reports_on, self._door)

    def entry(self, guild_id: int) -> Mark | None:
        """Return this tracker's last committed mark of a guild's player; None: it holds it active.

        What an open scope says is not in it, nor what was said of a player that has gone.
        """
        return self._entries.player(guild_id)

    def entry_of_event(self, event: Event | int) -> Mark | None:
        """Return this tracker's last committed mark of an active event; None: it holds it active.

        Given the event itself instead of its id, nothing needs to be looked for.
        """
        return self._entries.event(event)

    @property
    def scope_open_s(self) -> float | None:
        """For how long a scope has been open (s), None if none is."""
        return self._gate.open_s()

    @property
    def slowed_s(self) -> float:
        """For how long commits have waited in all its tracker's lives (s), since it floods the journal."""
        return self._door.pace.slowed_s

    def release(self) -> bool:
        """Let go of a scope that is still open; say whether one was. It commits nothing any more."""
        return self._gate.clear()

    def close(self) -> None:
        """End it: whatever still runs of the tracker commits nothing any more."""
        with self._lock:
            self._ended.set()

    def _commit(self, marks: Marks) -> None:
        """Journal a scope's marks as one. Raises ``ScopeClosedError``, ``NotJournaledError``."""
        events = held_events(self._source, marks)
        told = tuple(
            SubjectMark(
                events[subject_id][0] if kind is SubjectKind.EVENT else subject_id,
                int(kind),
                subject_id,
                said.inactive,
                said.timeout_ms,
            )
            for (kind, subject_id), said in marks.items()
            if kind is SubjectKind.PLAYER or subject_id in events
        )
        if told:
            at = self._append(told)
            self._entries.remember(marks, events, at)

    def _append(self, told: tuple[SubjectMark, ...]) -> int:
        with self._lock:
            if self._ended.is_set():
                raise ScopeClosedError(f"{self.label} runs no more or was started again: this is in vain")
            at = self._now()
            try:
                self._journal.append(ScopeCommitted(at, self.label, told))
            except Exception as error:
                raise NotJournaledError(str(error)) from error
        return at
