"""What trackers see of the engine: each guild's state as its actor last decided, and what has changed.

Fulfils ``trackers.source.Source``. The actors publish by putting a state in its place, which is one step of
the interpreter; nobody waits for anybody.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import structlog

from engine.domain.events import Event, EventStatus
from engine.domain.guild import GuildState
from engine.domain.ids import partition_of
from engine.domain.tracking import Mark, Subject, SubjectKind
from engine.storage.protocols import Ledger, StorageError

log = structlog.get_logger(__name__)


class Published:
    """The states that the guilds' and events' actors decided last. Any thread may read."""

    def __init__(self) -> None:
        self.guilds: dict[int, GuildState] = {}
        self.players: dict[int, GuildState] = {}  # of them, those with a player
        self.events: dict[int, Subject | None] = {}  # what trackers say of an active event
        self._changed: list[Callable[[int], None]] = []

    def guild(self, state: GuildState) -> None:
        """Take a guild's new state."""
        guild_id = state.guild_id
        self.guilds[guild_id] = state
        if state.player is not None:
            self.players[guild_id] = state
        elif guild_id in self.players:
            self.players.pop(guild_id, None)
        for changed in self._changed:
            changed(guild_id)

    def parked(self, guild_id: int) -> None:
        """Let a guild's state go; one with a player stays, as it is what trackers look at."""
        if guild_id not in self.players:
            self.guilds.pop(guild_id, None)

    def subscribe(self, changed: Callable[[int], None]) -> Callable[[], None]:
        """See ``trackers.source.Source.subscribe``."""

        def tell(guild_id: int) -> None:
            try:
                changed(guild_id)
            except Exception:
                log.exception("subscriber_failed", guild_id=guild_id)

        self._changed = [*self._changed, tell]

        def end() -> None:
            self._changed = [it for it in self._changed if it is not tell]

        return end


class Active(Protocol):
    """A partition's events; ``actors.events.Events`` fulfils it."""

    def open(self) -> list[Event]:
        """Return those that are not over."""
        ...


class Sight:
    """``trackers.source.Source`` over all partitions."""

    def __init__(self, published: Published, ledgers: Sequence[Ledger], events: Sequence[Active]) -> None:
        self._published, self._ledgers, self._events = published, ledgers, events

    def guild(self, guild_id: int) -> GuildState | None:
        """Return a guild's state; one whose actor rests is read from the ledger."""
        state = self._published.guilds.get(guild_id)
        if state is not None:
            return state
        try:
            state = self._ledger(guild_id).load_guild(guild_id, 0)
        except StorageError:
            return None
        return state if state.confirmed_at is not None else None

    def players(self) -> Iterable[GuildState]:
        """Return the guilds that have a player now."""
        return list(self._published.players.copy().values())

    def events(self) -> Iterable[Event]:
        """Return the active events."""
        return [it for part in self._events for it in part.open() if it.status is EventStatus.ACTIVE]

    def mark(self, kind: SubjectKind, guild_id: int, subject_id: int, tracker: str) -> Mark | None:
        """Return what a tracker last committed of a subject."""
        if kind is SubjectKind.EVENT:
            subject = self._published.events.get(subject_id)
        else:
            state = self.guild(guild_id)
            subject = None if state is None else state.subject
        return None if subject is None else subject.marks.get(tracker)

    def subscribe(self, changed: Callable[[int], None]) -> Callable[[], None]:
        """See ``trackers.source.Source.subscribe``."""
        return self._published.subscribe(changed)

    def _ledger(self, guild_id: int) -> Ledger:
        return self._ledgers[partition_of(guild_id, len(self._ledgers))]
