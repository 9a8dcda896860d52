"""What trackers, listeners and whoever plays tell the engine: journaled like everything else."""

from typing import TypeAlias

from msgspec import Struct

from engine.domain.ids import partition_of


class SubjectMark(Struct, frozen=True, array_like=True, gc=False):
    """One mark of a scope. ``kind``: tracking.SubjectKind; a player's ``subject_id`` is its guild's."""

    guild_id: int
    kind: int
    subject_id: int
    inactive: bool
    timeout_ms: int | None = None


class ScopeCommitted(Struct, frozen=True, array_like=True, tag=23, gc=False):
    """All marks of one scope, to each partition those of its guilds. The last one of a subject counts.

    ``silent``: the trackers that did not run then, each with since when: who has come since the last
    ``TrackersKnown`` learns it from the first mark.
    """

    at: int
    tracker: str
    marks: tuple[SubjectMark, ...]
    silent: tuple[tuple[str, int], ...] = ()


class EventMarked(Struct, frozen=True, gc=False):
    """A scope's mark on an active event. Never journaled: admission tells it to the event alone."""

    at: int
    guild_id: int
    event_id: int
    tracker: str
    inactive: bool
    timeout_ms: int | None = None
    silent: tuple[tuple[str, int], ...] = ()


def split(scope: ScopeCommitted, partitions: int) -> list[tuple[int, ScopeCommitted]]:
    """Return for each partition that has any the marks of its guilds, in order."""
    parts: dict[int, list[SubjectMark]] = {}
    for mark in scope.marks:
        parts.setdefault(partition_of(mark.guild_id, partitions), []).append(mark)
    return [
        (number, ScopeCommitted(scope.at, scope.tracker, tuple(marks), scope.silent))
        for number, marks in parts.items()
    ]


class TrackersKnown(Struct, frozen=True, array_like=True, tag=24, gc=False):
    """The trackers that run, to every partition. The marks of all others are dropped."""

    at: int
    trackers: tuple[str, ...]


class SubjectOverridden(Struct, frozen=True, array_like=True, tag=25, gc=False):
    """A run-time override or exemption of one subject; with nothing set, the end of one.

    ``kept``: it holds even so, and undoes what the configuration says of the subject.
    """

    at: int
    guild_id: int
    kind: int
    subject_id: int
    timeout_ms: int | None = None
    trackers: tuple[str, ...] | None = None
    exempt: bool = False
    request_id: str = ""
    kept: bool = False

    @property
    def event_id(self) -> int:
        """Return which event it is about, if ``kind`` says that it is about one."""
        return self.subject_id


class ExpiryDecided(Struct, frozen=True, array_like=True, tag=26, gc=False):
    """What the listeners decided about a passed ``deadline``. ``decision``: tracking.Decision."""

    at: int
    guild_id: int
    kind: int
    subject_id: int
    deadline: int
    decision: int
    postpone_ms: int = 0

    @property
    def event_id(self) -> int:
        """Return which event it is about, if ``kind`` says that it is about one."""
        return self.subject_id


class PlayerReported(Struct, frozen=True, array_like=True, tag=27, gc=False):
    """What whoever plays tells of the guild's player. ``state``: tracking.PlayerState."""

    at: int
    guild_id: int
    state: int
    request_id: str = ""


class TimePassed(Struct, frozen=True, array_like=True, tag=28, gc=False):
    """That time has come for a guild's deadlines. Never journaled: the partition tells it."""

    at: int
    guild_id: int


TrackerInput: TypeAlias = ScopeCommitted | TrackersKnown | SubjectOverridden | ExpiryDecided | PlayerReported
