"""The engine as trackers see it, given to them before it is there: they are made before it starts."""

from collections.abc import Callable, Iterable

from engine.domain.events import Event
from engine.domain.guild import GuildState
from engine.domain.inputs import Input
from engine.domain.tracking import Mark, SubjectKind
from engine.trackers.source import Journal, Source


class NotRunningError(RuntimeError):
    """The engine was asked before it runs: what a constructor wants to know, ``run`` can ask."""


class Late:
    """Fulfils ``Source`` and ``Journal`` by what ``bind`` brings."""

    def __init__(self) -> None:
        self._source: Source | None = None
        self._journal: Journal | None = None

    def bind(self, source: Source, journal: Journal) -> None:
        """Let all that hold this see the engine from now on."""
        self._source, self._journal = source, journal

    @property
    def _engine(self) -> Source:
        if self._source is None:
            raise NotRunningError("the engine does not run yet: look in run(), not in the constructor")
        return self._source

    def guild(self, guild_id: int) -> GuildState | None:
        """See ``Source``."""
        return self._engine.guild(guild_id)

    def players(self) -> Iterable[GuildState]:
        """See ``Source``."""
        return self._engine.players()

    def events(self) -> Iterable[Event]:
        """See ``Source``."""
        return self._engine.events()

    def mark(self, kind: SubjectKind, guild_id: int, subject_id: int, tracker: str) -> Mark | None:
        """See ``Source``."""
        return self._engine.mark(kind, guild_id, subject_id, tracker)

    def subscribe(self, changed: Callable[[int], None]) -> Callable[[], None]:
        """See ``Source``."""
        return self._engine.subscribe(changed)

    def append(self, *inputs: Input) -> None:
        """See ``Journal``."""
        if self._journal is None:
            raise NotRunningError("the engine does not run yet: tell it in run(), not in the constructor")
        self._journal.append(*inputs)
