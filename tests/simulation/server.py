"""What a Redis holds for one partition, in plain memory: journal, live state and outbox, and all its past.

Ids, order, trimming and what a restored server knows are as the real one's; what goes wrong on the way to it
is ``faults``' to do.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import NamedTuple

from engine.domain.effects import Effect, ForgetMember, ToDiscord
from engine.domain.inputs import Entry
from engine.storage.journal import CorruptEntry, decode, encode
from engine.storage.protocols import Record
from tests.actors.memory import MemoryLive

Id = tuple[int, int]
RETENTION_MS = 90_000


class Contents(NamedTuple):
    """What is in the server's file at some time."""

    stream: list[tuple[Id, bytes]]
    last: Id
    live: MemoryLive
    outbox: dict[str, ToDiscord]


def nothing() -> Contents:
    return Contents([], (0, 0), MemoryLive(), {})


class Server:
    """``skew_ms``: by how much its clock is off. ``starts``: how often it was started anew."""

    def __init__(self) -> None:
        self.holds = nothing()
        self.skew_ms = 0
        self.starts = 0

    @property
    def last_id(self) -> str:
        return _text(self.holds.last)

    def append(self, entries: Iterable[Entry]) -> None:
        """Append (XADD *): the clock's time, but never before the last id."""
        for entry in entries:
            now, (at, number) = max(0, entry.input.at + self.skew_ms), self.holds.last
            last = (now, 0) if now > at else (at, number + 1)
            self.holds.stream.append((last, encode(entry)))
            self.holds = self.holds._replace(last=last)

    def after(self, journal_id: str) -> list[tuple[Id, bytes]]:
        """Return what stands after an id."""
        where = _id(journal_id)
        return [it for it in self.holds.stream if it[0] > where]

    def saved(self) -> Contents:
        """Return a copy of its file."""
        return _copied(self.holds)

    def lost_by(self, file: Contents) -> list[Entry]:
        """Return the entries that it has, and would not have after a start from a file."""
        kept = {journal_id for journal_id, _ in file.stream}
        return [decode(raw) for journal_id, raw in self.holds.stream if journal_id not in kept]

    def start_from(self, file: Contents) -> None:
        """Go on as a server does that is started from this file."""
        self.holds = _copied(file)
        self.starts += 1


class Journal:
    """``protocols.Journal`` on a server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def read(self, after: str, count: int, _block_ms: int) -> list[Record]:
        return [_record(*it) for it in self._server.after(after)[:count]]

    def last_id(self) -> str:
        return self._server.last_id

    def entry_at(self, journal_id: str) -> Record | None:
        found = (it for it in self._server.holds.stream if it[0] == _id(journal_id))
        return next((_record(*it) for it in found), None)

    def length(self) -> int:
        return len(self._server.holds.stream)

    def lag(self, cursor: str) -> int:
        return len(self._server.after(cursor))

    def trim(self, committed: str, now: int) -> int:
        oldest = min((max(now - RETENTION_MS, 0), 0), _id(committed))
        before = len(self._server.holds.stream)
        self._server.holds.stream[:] = [it for it in self._server.holds.stream if it[0] >= oldest]
        return before - len(self._server.holds.stream)


class Live:
    """``protocols.LiveState`` on a server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def mirror(self, before: str, cursor: str, effects: Sequence[Effect]) -> bool:
        if ForgetMember in map(type, effects):
            self._server.holds.live.cursor = None
        return self._server.holds.live.mirror(before, cursor, effects)

    def rebuild(self, cursor: str, sessions: Iterable, active: Iterable = ()) -> None:
        # What is written is read from the ledger meanwhile, which may fail half-way.
        self._server.holds.live.cursor = f"rebuilding {cursor}"
        self._server.holds.live.rebuild(cursor, list(sessions), list(active))


class Outbox:
    """``protocols.OutboxSender`` on a server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def send(self, messages: list[ToDiscord]) -> None:
        self._server.holds.outbox.update({it.outbox_id: it for it in messages})

    def withdraw(self, forgotten: Mapping[int, int]) -> None:
        for outbox_id, it in list(self._server.holds.outbox.items()):
            if it.at <= forgotten.get(getattr(it, "user_id", 0), -1):
                del self._server.holds.outbox[outbox_id]


def _copied(file: Contents) -> Contents:
    stream, last, live, outbox = file
    memory = copy(live)
    memory.values, memory.active = dict(live.values), {key: dict(it) for key, it in live.active.items()}
    return Contents(list(stream), last, memory, dict(outbox))


def _record(journal_id: Id, raw: bytes) -> Record:
    try:
        return Record(_text(journal_id), decode(raw), raw)
    except CorruptEntry as error:
        return Record(_text(journal_id), None, raw, str(error))


def _id(text: str) -> Id:
    at, _, number = text.partition("-")
    return int(at), int(number)


def _text(journal_id: Id) -> str:
    return f"{journal_id[0]}-{journal_id[1]}"
