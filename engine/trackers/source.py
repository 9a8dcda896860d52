"""Where trackers look: the engine's guilds and events as they stand now."""

from collections.abc import Callable, Iterable
from typing import Protocol

from engine.domain.events import Event
from engine.domain.guild import GuildState
from engine.domain.inputs import Input
from engine.domain.tracking import Mark, SubjectKind


class Source(Protocol):
    """Any thread may call; nothing here waits for an actor. States are immutable."""

    def guild(self, guild_id: int) -> GuildState | None:
        """Return a guild's state, as its actor last decided or the ledger has it; None: nobody knows it."""
        ...

    def players(self) -> Iterable[GuildState]:
        """Return the guilds that have a player now."""
        ...

    def events(self) -> Iterable[Event]:
        """Return the active events."""
        ...

    def mark(self, kind: SubjectKind, guild_id: int, subject_id: int, tracker: str) -> Mark | None:
        """Return what a tracker last committed of a subject: its mark, None if it holds it active."""
        ...

    def subscribe(self, changed: Callable[[int], None]) -> Callable[[], None]:
        """Have ``changed(guild_id)`` called after each change of a guild's state, on a thread of the engine.

        It must return at once. Returns what ends the subscription.
        """
        ...


class Journal(Protocol):
    """How what trackers and listeners say gets into the journal (``storage.protocols.Appender``)."""

    def append(self, *inputs: Input) -> None:
        """Take inputs, and return at once. Raises ``StorageError`` if all is full."""
        ...
