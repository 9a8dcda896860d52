"""What the actors and the adapter may ask of storage. The back-ends stand beside; nobody else names them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from engine.domain.attendance import Participant, Stay
from engine.domain.effects import Effect, ToDiscord
from engine.domain.events import Event
from engine.domain.guild import GuildState
from engine.domain.inputs import Entry, Input
from engine.domain.lifecycle import Standing
from engine.domain.partition import PartitionState
from engine.domain.tracking import Subject, SubjectKind


class StorageError(Exception):
    """Storage cannot do what it was asked; the text is one line that says what to do."""


class Record(NamedTuple):
    """One entry as read from the journal. ``entry`` is None where ``error`` says why it cannot be read."""

    journal_id: str
    entry: Entry | None
    raw: bytes
    error: str = ""


class Appender(Protocol):
    """The one door. Thread-safe; never blocks on Redis; order of calls is order in the journal."""

    def append(self, *inputs: Input) -> None:
        """Take inputs for the journal. Raises ``StorageError`` only if memory and spool are both full."""
        ...


class Journal(Protocol):
    """One partition's journal, as its one reader sees it.

    All methods raise ``ConnectionError`` when it is away.
    """

    def read(self, after: str, count: int, block_ms: int) -> list[Record]:
        """Return up to ``count`` records after the id ``after``, waiting up to ``block_ms`` for the first."""
        ...

    def last_id(self) -> str:
        """Return the id of the last entry ever appended, ``0-0`` if none.

        Below the cursor, it is an older journal than the one that was read.
        """
        ...

    def entry_at(self, journal_id: str) -> Record | None:
        """Return the entry of this id; None if it is not kept, as that of a cursor always is."""
        ...

    def length(self) -> int:
        """Return how many entries are kept."""
        ...

    def lag(self, cursor: str) -> int:
        """Return how many entries lie behind ``cursor`` and are not yet taken."""
        ...

    def trim(self, committed: str, now: int) -> int:
        """Remove entries older than the retention or above the cap; return how many.

        Never one after ``committed``.
        """
        ...


class DeadLetter(NamedTuple):
    """An entry that could not take effect, kept whole. ``at``: the partition's time just before.

    ``actor`` refused it (``guild:<id>``, ``event:<id>``); one that cannot be read has none.
    """

    journal_id: str
    guild_id: int | None
    raw: bytes
    reason: str
    at: int
    actor: str = ""


class Letter(NamedTuple):
    """A dead letter as it is read back, and the partition's time just before it."""

    record: Record
    at: int


class Quarantine(NamedTuple):
    """An actor that takes nothing any more. Its entries are dead letters, from ``journal_id`` on."""

    actor: str
    guild_id: int
    reason: str
    journal_id: str
    at: int


@dataclass(slots=True)
class Commit:
    """One ledger transaction: the effects of a batch, and the partition's state after it.

    ``before`` is the cursor the ledger must stand at. ``state.sources``, ``.connections`` and ``.forgotten``
    are whole; ``sources_changed`` names the sources whose rows must be written. ``retried``: dead letters
    that have taken effect after all, as ``(journal_id, actor)``; ``lifted``: actors out of quarantine, which
    no other commit is put together with.
    """

    before: str
    state: PartitionState
    effects: list[Effect] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    sources_changed: set[str] = field(default_factory=set)
    connections_changed: bool = False
    forgotten_changed: bool = False
    quarantined: list[Quarantine] = field(default_factory=list)
    lifted: list[str] = field(default_factory=list)
    retried: list[tuple[str, str]] = field(default_factory=list)


class Attendance(NamedTuple):
    """An event with what the ledger has of its attendance.

    ``stays``: the sessions in its channels that overlap its window by its policy's reading, each user's in
    order; none before it has started. ``participants``: the rows written so far.
    """

    event: Event
    stays: list[Stay]
    participants: list[Participant]


class Ledger(Protocol):
    """The truth. One partition's writer; every method may be called from any thread."""

    def load_partition(self) -> PartitionState:
        """Return where the partition stands."""
        ...

    def load_guild(self, guild_id: int, now: int) -> GuildState:
        """Return a guild as of the last commit; ``now`` is the partition's time (see ``rules.MEMORY_MS``)."""
        ...

    def present_guilds(self) -> list[int]:
        """Return the partition's guilds that the bot is in, as of the last commit, in order of their ids."""
        ...

    def commit(self, commit: Commit) -> dict[str, int]:
        """Write all of it or nothing. Returns how many rows were forgotten, where the commit says so.

        A commit that took effect before (the reply was lost) is recognised by its cursor and does nothing.
        Raises ``StorageBusy`` if trying again later may help (locked, full), ``StorageError`` if not.
        """
        ...

    def guilds_of(self, user_id: int) -> list[int]:
        """Return the partition's guilds in which something is known of a person, as of the last commit."""
        ...

    def dead_letters(self, actor: str) -> list[Letter]:
        """Return an actor's dead letters that were not retried, in the order of the journal."""
        ...

    def quarantines(self) -> list[Quarantine]:
        """Return the actors that are quarantined, as of the last commit."""
        ...

    def wipe(self, forgotten: Iterable[int]) -> bool:
        """Leave nothing of these users where rows were; False where that must be tried again later.

        May take seconds, in which nothing can be committed.
        """
        ...

    def prune(self, before: int) -> bool:
        """Remove a portion of the sessions that ended before a moment; True while there may be more."""
        ...

    def pending_outbox(self, limit: int) -> list[ToDiscord]:
        """Return the outbox effects upon Discord without an outcome, oldest first."""
        ...

    def open_events(self) -> list[Event]:
        """Return the partition's events that are scheduled, active, or over and not settled."""
        ...

    def load_event(self, event_id: int) -> Event | None:
        """Return an event as of the last commit."""
        ...

    def load_attendance(self, event: Event) -> Attendance:
        """Return what there is of an event's attendance, given the event as it is to be (it may be new)."""
        ...

    def load_subject(self, kind: SubjectKind, subject_id: int) -> Subject | None:
        """Return what trackers say of a player (by its guild) or an event, as of the last commit."""
        ...

    def subjects(self) -> list[tuple[int, Subject]]:
        """Return the partition's subjects of trackers, each with its guild, as of the last commit."""
        ...

    def players(self) -> list[int]:
        """Return the partition's guilds that have a player, in order of their ids, as of the last commit."""
        ...

    def standing(self, guild_id: int) -> Standing:
        """Return how a guild is watched, as of the last commit."""
        ...

    def audit(self, event_id: int) -> Callable[[], Attendance]:
        """Hold on to an event's attendance as of now; the call returns it, once, later, on any thread."""
        ...

    def close(self) -> None:
        """Close what is open; a commit under way ends first."""
        ...

    def open_sessions(self) -> Iterable[tuple[int, Sequence[tuple[int, bytes]]]]:
        """Yield ``(guild_id, [(user_id, live value)])`` for every guild with open sessions (see ``live``)."""
        ...


class StorageBusy(StorageError):  # noqa: N818 - a state that passes, not an error
    """The ledger is locked or full: nothing was written, the same call may succeed later."""


class StorageUnfit(StorageError):  # noqa: N818 - what was found, not an error on the way
    """What is there cannot be used as it is: trying again does not help, somebody has to change something."""


class LiveState(Protocol):
    """The mirror of the open sessions that others read. Losing it loses nothing."""

    def mirror(self, before: str, cursor: str, effects: Sequence[Effect]) -> bool:
        """Apply a commit's effects; False where the mirror does not stand at ``before`` and must be rebuilt.

        Raises ``ConnectionError`` when Redis is away.
        """
        ...

    def rebuild(
        self,
        cursor: str,
        sessions: Iterable[tuple[int, Sequence[tuple[int, bytes]]]],
        active: Iterable[tuple[Event, Sequence[Participant]]] = (),
    ) -> None:
        """Replace the whole mirror by what the ledger says as of ``cursor``: open sessions, active events."""
        ...


class OutboxSender(Protocol):
    """Brings outbox effects to the ingest. Raises ``ConnectionError`` when Redis is away."""

    def send(self, messages: list[ToDiscord]) -> None:
        """Send them, at least once each; the receiver knows them by their ids."""
        ...

    def withdraw(self, forgotten: Mapping[int, int]) -> None:
        """Take back what was sent for users, each up to a moment, and has not been done."""
        ...


@dataclass(frozen=True)
class Stores:
    """The storage of one partition."""

    journal: Journal
    ledger: Ledger
    live: LiveState
    outbox: OutboxSender
