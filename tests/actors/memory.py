"""Storage in plain memory: the simplest that keeps the protocols' promises, and can be made to fail."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from engine.domain import effects as fx
from engine.domain.guild import GuildState
from engine.domain.inputs import Entry
from engine.domain.partition import PartitionState, admit
from engine.domain.rules import CREATION_MEMORY_MS, MEMORY_MS, Rules
from engine.domain.step import step
from engine.storage.protocols import Commit, DeadLetter, Record, StorageError


class Rows:
    """What the ledger's tables would hold: effects, folded."""

    def __init__(self) -> None:
        self.sessions: dict[tuple[int, int, int], fx.SaveSession] = {}
        self.spans: dict[tuple[int, ...], fx.SaveSpan] = {}
        self.guilds: dict[int, fx.SaveGuild] = {}
        self.channels: dict[tuple[int, int], dict[str, Any]] = {}
        self.outbox: dict[str, fx.PostMessage] = {}
        self.outcomes: dict[str, fx.SettleOutbox] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rows) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {rows}" for name, rows in vars(self).items())

    def apply(self, effect: fx.Effect) -> None:
        match effect:
            case fx.SaveSession():
                session = effect.session
                self.sessions[effect.guild_id, session.user_id, session.joined_at] = effect
            case fx.DropSession(guild_id=guild_id, user_id=user_id, joined_at=joined_at):
                del self.sessions[guild_id, user_id, joined_at]
                self.spans = {
                    key: span for key, span in self.spans.items() if key[:3] != (guild_id, user_id, joined_at)
                }
            case fx.SaveSpan():
                self.spans[
                    effect.guild_id, effect.user_id, effect.joined_at, effect.started_at, effect.ended_at
                ] = effect
            case fx.DropSpans(guild_id=guild_id, user_id=user_id, joined_at=joined_at, since=since):
                self._drop_spans((guild_id, user_id, joined_at), since)
            case fx.SaveGuild():
                self.guilds[effect.guild_id] = effect
            case fx.SaveChannel():
                row = self.channels.setdefault((effect.guild_id, effect.channel_id), {"created_at": None})
                row |= {"name": effect.name, "kind": effect.kind, "deleted_at": None}
                row["created_at"] = effect.created_at or row["created_at"]
            case fx.DropChannel():
                row = self.channels.setdefault((effect.guild_id, effect.channel_id), {"created_at": None})
                row["deleted_at"] = effect.at
            case fx.PostMessage():
                self.outbox[effect.outbox_id] = effect
            case fx.SettleOutbox():
                self.outcomes[effect.outbox_id] = effect

    def _drop_spans(self, session: tuple[int, int, int], since: int) -> None:
        for key, span in list(self.spans.items()):
            if key[:3] == session and span.ended_at > since:
                del self.spans[key]
                if span.started_at < since:
                    self.spans[*session, span.started_at, since] = replace(span, ended_at=since)

    def open_sessions(self) -> Iterator[fx.SaveSession]:
        return (it for it in self.sessions.values() if it.left_at is None)

    def present_guilds(self) -> list[int]:
        return sorted(it.guild_id for it in self.guilds.values() if it.present)

    def guild(self, guild_id: int, now: int) -> GuildState:
        known = self.guilds.get(guild_id)
        facts = (
            {} if known is None else {k: v for k, v in asdict(known).items() if k not in ("guild_id", "at")}
        )
        ended = [it for it in self.sessions.values() if it.guild_id == guild_id and it.left_at is not None]
        left: dict[int, int] = {}
        for it in sorted(ended, key=lambda it: max(it.left_at, it.session.joined_at + 1)):
            left.pop(it.session.user_id, None)
            left[it.session.user_id] = max(it.left_at, it.session.joined_at + 1)
        created = {
            channel_id: row["created_at"]
            for (owner, channel_id), row in self.channels.items()
            if owner == guild_id and row["created_at"] is not None
        }
        return GuildState(
            guild_id,
            {it.session.user_id: it.session for it in self.open_sessions() if it.guild_id == guild_id},
            {user_id: at for user_id, at in left.items() if at >= now - MEMORY_MS},
            {
                it: at
                for it, at in sorted(created.items(), key=lambda it: it[1])
                if at >= now - CREATION_MEMORY_MS
            },
            **facts,
        )


def live_value(saved: fx.SaveSession) -> bytes:
    session = saved.session
    return msgspec.msgpack.encode((session.channel_id, session.joined_at, session.flags, session.span_at))


class MemoryLedger:
    """The hooks (``on_commit``, ``on_load``, ...) may raise or wait, as a disk."""

    def __init__(self) -> None:
        self.rows = Rows()
        self.letters: dict[str, DeadLetter] = {}
        self.commits: list[Commit] = []
        self._state = PartitionState()
        self._lock = threading.Lock()
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

    def commit(self, commit: Commit) -> None:
        self.on_commit(commit)
        with self._lock:
            if self._state.cursor == commit.state.cursor:
                return
            if self._state.cursor != commit.before:
                raise StorageError(f"the ledger stands at {self._state.cursor}, not at {commit.before}")
            for effect in commit.effects:
                self.rows.apply(effect)
            self.letters |= {it.journal_id: it for it in commit.dead_letters}
            self.commits.append(commit)
            self._state = self._following(commit)
        self.on_committed(commit)

    def _following(self, commit: Commit) -> PartitionState:
        """Only what the commit says has changed is written: its flags must be right."""
        sources = self._state.sources | {it: commit.state.sources[it] for it in commit.sources_changed}
        connections = commit.state.connections if commit.connections_changed else self._state.connections
        written = PartitionState(commit.state.cursor, commit.state.now, sources, connections)
        assert written == commit.state
        return written

    def pending_outbox(self, limit: int) -> list[fx.PostMessage]:
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
            self.records.append(Record(f"{self._last}-0", entry, b"raw", error))
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

    def length(self) -> int:
        return len(self.records)

    def lag(self, cursor: str) -> int:
        return len(self._behind(cursor))

    def trim(self, committed: str, _now: int) -> int:
        self._reach()
        self.trimmed.append(committed)
        return 0


class MemoryLive:
    def __init__(self) -> None:
        self.cursor: str | None = None
        self.values: dict[tuple[int, int], bytes] = {}
        self.rebuilds = 0
        self.away = False

    def mirror(self, before: str, cursor: str, effects: Sequence[fx.Effect]) -> bool:
        if self.away:
            raise ConnectionError("connection refused")
        if self.cursor != before:
            return False
        for effect in effects:
            if isinstance(effect, fx.SaveSession) and effect.left_at is None:
                self.values[effect.guild_id, effect.session.user_id] = live_value(effect)
            elif isinstance(effect, fx.SaveSession):
                self.values.pop((effect.guild_id, effect.session.user_id), None)
            elif isinstance(effect, fx.DropSession):
                self.values.pop((effect.guild_id, effect.user_id), None)
        self.cursor = cursor
        return True

    def rebuild(self, cursor: str, sessions: Iterable[tuple[int, Sequence[tuple[int, bytes]]]]) -> None:
        if self.away:
            raise ConnectionError("connection refused")
        self.values = {(guild_id, user_id): value for guild_id, them in sessions for user_id, value in them}
        self.cursor, self.rebuilds = cursor, self.rebuilds + 1


class MemoryOutbox:
    def __init__(self) -> None:
        self.sent: list[str] = []
        self.away = False

    def send(self, messages: list[fx.PostMessage]) -> None:
        if self.away:
            raise ConnectionError("connection refused")
        self.sent += [it.outbox_id for it in messages]


def fold(entries: Iterable[Entry], rules: Rules) -> Rows:
    """Return the rows that the plain step comes to, entry by entry, without one actor."""
    rows, partition, guilds = Rows(), PartitionState(), {}
    for entry in entries:
        admission = admit(partition, "1-0", [(entry, None)], rows.present_guilds())
        partition = admission.state
        for guild_id, ((what, connections, _),) in admission.shares.items():
            state = guilds.get(guild_id, GuildState(guild_id))
            guilds[guild_id], effects = step(state, what, connections, rules)
            for effect in effects:
                rows.apply(effect)
    return rows
