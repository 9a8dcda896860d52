"""Storage in plain memory: the simplest that keeps the protocols' promises, and can be made to fail."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from engine.domain import effects as fx
from engine.domain import event_effects as efx
from engine.domain.attendance import Participant
from engine.domain.events import Event, EventStatus
from engine.domain.guild import GuildState
from engine.domain.inputs import Entry
from engine.domain.lifecycle import Standing
from engine.domain.partition import PartitionState, admit
from engine.domain.rules import Rules
from engine.domain.step import step
from engine.domain.tracking import Subject, SubjectKind
from engine.storage.journal import decode, encode
from engine.storage.protocols import (
    Attendance,
    Commit,
    DeadLetter,
    Letter,
    Quarantine,
    Record,
    StorageError,
)
from tests.actors.rows import Rows, live_value


class MemoryLedger:
    """The hooks (``on_commit``, ``on_load``, ...) may raise or wait, as a disk."""

    def __init__(self) -> None:
        self.rows = Rows()
        self.letters: dict[str, DeadLetter] = {}
        self.retried: dict[str, DeadLetter] = {}
        self.quarantined: dict[str, Quarantine] = {}
        self.commits: list[Commit] = []
        self._state = PartitionState()
        self._lock = threading.Lock()
        self.on_prune: Callable[[int], bool] = lambda _: False
        self.on_commit = self.on_committed = self.on_load = self.on_read = self.on_present = lambda *_: None

    @property
    def cursor(self) -> str:
        return self._state.cursor

    def load_partition(self) -> PartitionState:
        return self._state

    def load_guild(self, guild_id: int, now: int) -> GuildState:
        self.on_load(guild_id)
        with self._lock:
            return self.rows.guild(guild_id, now)

    def present_guilds(self) -> list[int]:
        self.on_present()
        with self._lock:
            return self.rows.present_guilds()

    def commit(self, commit: Commit) -> dict[str, int]:
        assert fx.ForgetMember not in map(type, commit.effects), "memory forgets nobody: take a real ledger"
        self.on_commit(commit)
        with self._lock:
            if self._state.cursor == commit.state.cursor:
                return {}
            if self._state.cursor != commit.before:
                raise StorageError(f"the ledger stands at {self._state.cursor}, not at {commit.before}")
            for effect in commit.effects:
                self.rows.apply(effect)
            self._take_letters(commit)
            self.commits.append(commit)
            self._state = self._following(commit)
        self.on_committed(commit)
        return {}

    def prune(self, before: int) -> bool:
        return self.on_prune(before)

    def _following(self, commit: Commit) -> PartitionState:
        """Only what the commit says has changed is written: its flags must be right."""
        sources = self._state.sources | {it: commit.state.sources[it] for it in commit.sources_changed}
        connections = commit.state.connections if commit.connections_changed else self._state.connections
        forgotten = commit.state.forgotten if commit.forgotten_changed else self._state.forgotten
        written = PartitionState(commit.state.cursor, commit.state.now, sources, connections, forgotten)
        assert written == commit.state
        return written

    def _take_letters(self, commit: Commit) -> None:
        for it in commit.dead_letters:
            known = self.letters.get(it.journal_id, it)
            self.letters[it.journal_id] = it._replace(at=known.at)
        for journal_id, _ in commit.retried:
            self.retried[journal_id] = self.letters.pop(journal_id)
        for actor in commit.lifted:
            del self.quarantined[actor]
        self.quarantined |= {it.actor: it for it in commit.quarantined}

    def quarantines(self) -> list[Quarantine]:
        return list(self.quarantined.values())

    def dead_letters(self, actor: str) -> list[Letter]:
        """The raw bytes of memory are the entry's own."""
        return [
            Letter(Record(it.journal_id, decode(it.raw), it.raw), it.at)
            for it in sorted(self.letters.values(), key=lambda it: int(it.journal_id[:-2]))
            if it.actor == actor
        ]

    def open_events(self) -> list[Event]:
        with self._lock:
            return self.rows.open_events()

    def load_event(self, event_id: int) -> Event | None:
        with self._lock:
            return self.rows.events.get(event_id)

    def load_attendance(self, event: Event) -> Attendance:
        with self._lock:
            return self.rows.attendance(event)

    def load_subject(self, kind: SubjectKind, subject_id: int) -> Subject | None:
        with self._lock:
            return self.rows.subjects.get((kind, subject_id), (0, None))[1]

    def subjects(self) -> list[tuple[int, Subject]]:
        with self._lock:
            return list(self.rows.subjects.values())

    def players(self) -> list[int]:
        with self._lock:
            return sorted(self.rows.players)

    def standing(self, guild_id: int) -> Standing:
        with self._lock:
            return self.rows.standing(guild_id)

    def audit(self, event_id: int) -> Callable[[], Attendance]:
        with self._lock:
            found = self.rows.attendance(self.rows.events[event_id])
        return lambda: found

    def pending_outbox(self, limit: int) -> list[fx.ToDiscord]:
        self.on_read()
        pending = [it for it in self.rows.outbox.values() if it.outbox_id not in self.rows.outcomes]
        return pending[:limit]

    def open_sessions(self) -> Iterable[tuple[int, Sequence[tuple[int, bytes]]]]:
        self.on_read()
        return [(it.guild_id, [(it.session.user_id, live_value(it))]) for it in self.rows.open_sessions()]


class MemoryJournal:
    """``splits`` says how many entries each read returns at most; ``away`` makes it unreachable."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.splits: Iterator[int] = iter(())
        self.away = False
        self.taken = 0
        self.trimmed: list[str] = []
        self._last = 0
        self._changed = threading.Condition()

    def append(self, entry: Entry | None, error: str = "") -> None:
        with self._changed:
            self._last += 1
            self.records.append(
                Record(f"{self._last}-0", entry, b"raw" if entry is None else encode(entry), error)
            )
            self._changed.notify_all()

    def replace(self, records: list[Record], last: int) -> None:
        """Become another journal: a restored or an emptied one."""
        with self._changed:
            self.records, self._last = list(records), last

    def _reach(self) -> None:
        if self.away:
            raise ConnectionError("connection refused")

    def read(self, after: str, count: int, block_ms: int) -> list[Record]:
        self._reach()
        with self._changed:
            self._changed.wait_for(lambda: self._behind(after), block_ms / 1000)
            found = self._behind(after)[: min(count, next(self.splits, count))]
            self.taken += len(found)
        return found

    def _behind(self, after: str) -> list[Record]:
        return [it for it in self.records if int(it.journal_id[:-2]) > int(after[:-2])]

    def last_id(self) -> str:
        self._reach()
        return f"{self._last}-0"

    def entry_at(self, journal_id: str) -> Record | None:
        self._reach()
        return next((it for it in self.records if it.journal_id == journal_id), None)

    def length(self) -> int:
        self._reach()
        return len(self.records)

    def lag(self, cursor: str) -> int:
        self._reach()
        return len(self._behind(cursor))

    def trim(self, committed: str, _now: int) -> int:
        self._reach()
        self.trimmed.append(committed)
        return 0


class MemoryLive:
    def __init__(self) -> None:
        self.cursor: str | None = None
        self.values: dict[tuple[int, int], bytes] = {}
        self.active: dict[int, dict[int, Participant]] = {}  # by event and user
        self.rebuilds = 0
        self.away = False

    def mirror(self, before: str, cursor: str, effects: Sequence[fx.Effect]) -> bool:
        if self.away:
            raise ConnectionError("connection refused")
        if self.cursor != before or fx.ForgetMember in map(type, effects):
            return False
        for effect in effects:
            if isinstance(effect, fx.SaveSession) and effect.left_at is None:
                self.values[effect.guild_id, effect.session.user_id] = live_value(effect)
            elif isinstance(effect, fx.SaveSession):
                self.values.pop((effect.guild_id, effect.session.user_id), None)
            elif isinstance(effect, fx.DropSession):
                self.values.pop((effect.guild_id, effect.user_id), None)
            else:
                self._follow(effect)
        self.cursor = cursor
        return True

    def _follow(self, effect: fx.Effect) -> None:
        match effect:
            case efx.SaveEvent(event=event) if event.status is EventStatus.ACTIVE:
                self.active.setdefault(event.event_id, {})
            case efx.SaveEvent(event=event):
                self.active.pop(event.event_id, None)
            case efx.FollowParticipants(event_id=event_id, rows=rows) if event_id in self.active:
                self.active[event_id] |= {it.user_id: it for it in rows}
            case efx.DropParticipant(event_id=event_id, user_id=user_id) if event_id in self.active:
                self.active[event_id].pop(user_id, None)

    def rebuild(
        self,
        cursor: str,
        sessions: Iterable[tuple[int, Sequence[tuple[int, bytes]]]],
        active: Iterable[tuple[Event, Sequence[Participant]]] = (),
    ) -> None:
        if self.away:
            raise ConnectionError("connection refused")
        self.active = {event.event_id: {it.user_id: it for it in known} for event, known in active}
        self.values = {(guild_id, user_id): value for guild_id, them in sessions for user_id, value in them}
        self.cursor, self.rebuilds = cursor, self.rebuilds + 1


class MemoryOutbox:
    def __init__(self) -> None:
        self.sent: list[str] = []
        self.withdrawn: list[dict[int, int]] = []
        self.away = False

    def send(self, messages: list[fx.ToDiscord]) -> None:
        if self.away:
            raise ConnectionError("connection refused")
        self.sent += [it.outbox_id for it in messages]

    def withdraw(self, forgotten: Mapping[int, int]) -> None:
        if self.away:
            raise ConnectionError("connection refused")
        self.withdrawn.append(dict(forgotten))


def fold(entries: Iterable[Entry], rules: Rules) -> Rows:
    """Return the rows that the plain step comes to, entry by entry, without one actor."""
    rows, partition, guilds = Rows(), PartitionState(), {}
    for entry in entries:
        admission = admit(partition, "1-0", [(entry, None)], rows.present_guilds())
        partition = admission.state
        for guild_id, ((what, connections, _, now),) in admission.shares.items():
            state = guilds.get(guild_id, GuildState(guild_id))
            guilds[guild_id], effects = step(state, what, connections, rules, now)
            for effect in effects:
                rows.apply(effect)
    return rows
