"""The writing end of the journal: takes inputs from any thread, and one thread of its own sends them.

Entries leave in the order in which they came, whatever happens to Redis: the spool is always older than what
is in memory, only the writer's thread moves entries, and nothing is forgotten before Redis has answered.
After a lost reply the same entries go again under the same (source, seq), which the reader drops.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import structlog

from engine.domain.ids import partition_of
from engine.domain.inputs import Entry, GuildsKnown, Heartbeat, Input, MemberForgotten
from engine.domain.tracker_inputs import ScopeCommitted, TrackersKnown, split
from engine.storage.journal import FIELD, encode, stream_key
from engine.storage.protocols import StorageError
from engine.storage.redis_client import Wire, pack_command
from engine.storage.spool import Spool, Spooled

FLUSH_ENTRIES = 200
FLUSH_S = 0.005
BATCH_MAX_ENTRIES = 1_000  # of a backlog
REPLY_TIMEOUT_S = 2.0
BACKOFF_S = (0.05, 1.0)  # first, longest
# An outage this long is no blip: what waits in memory goes to the disk, so that a crash cannot lose it.
SPILL_AFTER_S = 1.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WriterStats:
    """What a writer did and holds. Of ``connected_since_at`` and ``away_since_at`` one is None."""

    appended: int
    refused: int
    resent: int
    buffered: int
    spooled: int
    spool_bytes: int
    connected_since_at: int | None
    away_since_at: int | None
    away_reason: str

    def report(self) -> dict[str, int]:
        """Return the numbers as the ingest's status and the metrics name them."""
        return {
            "journal_appended": self.appended,
            "journal_refused": self.refused,
            "journal_resent": self.resent,
            "journal_buffered": self.buffered,
            "journal_spooled": self.spooled,
            "journal_spool_bytes": self.spool_bytes,
        }


class JournalWriter:
    """``protocols.Appender`` for one life of one writer, named ``source``.

    ``memory_max_entries`` bounds what waits in memory: beyond it the writer's thread moves entries to the
    spool (a reply it waits for may delay that by ``REPLY_TIMEOUT_S``). ``append`` refuses only where the
    spool is full as well. What an earlier life left there is sent first, under its own source and seq.
    Raises ``StorageError`` where the spool cannot be had.
    """

    def __init__(  # noqa: PLR0913 - two bounds and two places, all named by the caller
        self,
        url: str,
        source: str,
        *,
        spool_path: Path,
        partitions: int = 1,
        memory_max_entries: int = 100_000,
        spool_max_bytes: int = 256 << 20,
    ) -> None:
        self._source = source
        self._partitions = partitions
        self._memory_max_entries = memory_max_entries
        self._wire = Wire(url, timeout_s=REPLY_TIMEOUT_S)
        self._spool = Spool(spool_path, spool_max_bytes)
        self._spool_full = False
        self._memory: deque[Spooled] = deque()
        self._appended = self._refused = self._resent = 0
        self._seqs = [0] * partitions
        # Guards the memory, the seq and the flags; held for microseconds, never across I/O.
        self._changed = threading.Condition(threading.Lock())
        self._deadline: float | None = None  # set once by close(), on the monotonic clock
        self._connected = False
        self._since_at = _now_ms()
        self._away_since: float | None = None
        self._away_reason = "not connected yet"
        self._unanswered = 0
        self._thread = threading.Thread(target=self._run, name=f"journal-writer-{source}", daemon=True)

    def start(self) -> None:
        """Start sending. Entries appended before wait in memory."""
        self._thread.start()

    def append(self, *inputs: Input) -> None:
        """Stamp the inputs and return at once. Raises ``StorageError``, having taken none, if all is full."""
        with self._changed:
            memory = self._memory
            if self._deadline is not None:
                raise StorageError("the journal writer is closed")
            before = len(memory)
            if self._spool_full and before >= self._memory_max_entries:
                self._refused += len(inputs)
                raise StorageError(
                    "memory and spool are full: bring Redis back, or raise storage.spool_max_mb"
                )
            memory.extend(self._stamped(inputs))
            for bound in (1, FLUSH_ENTRIES, self._memory_max_entries + 1):
                if before < bound <= len(memory):
                    self._changed.notify()

    def close(self, timeout_s: float = 5.0) -> None:
        """Send what can be sent in ``timeout_s``; the rest, or all if Redis is away, goes to the spool."""
        with self._changed:
            if self._deadline is not None:
                return
            self._deadline = time.monotonic() + timeout_s
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()
        self._wire.close()
        self._spill()
        if self._memory:
            _log.critical("journal_entries_lost", entries=len(self._memory), reason="the spool is full")
        self._spool.close()

    def stats(self) -> WriterStats:
        """Return what there is to know of this writer, from any thread."""
        with self._changed:
            return WriterStats(
                appended=self._appended,
                refused=self._refused,
                resent=self._resent,
                buffered=len(self._memory),
                spooled=self._spool.entries,
                spool_bytes=self._spool.size_bytes,
                connected_since_at=self._since_at if self._connected else None,
                away_since_at=None if self._connected else self._since_at,
                away_reason="" if self._connected else self._away_reason,
            )

    def _stamped(self, inputs: tuple[Input, ...]) -> list[Spooled]:
        """Number what goes to each partition: its reader sees by a hole in the numbers that it lacks some."""
        seqs, stamped = self._seqs.copy(), []
        for it in inputs:
            for partition, part in self._parts_of(it):
                seqs[partition] += 1
                stamped.append(Spooled(partition, encode(Entry(self._source, seqs[partition], part))))
        self._seqs = seqs
        self._appended += len(stamped)
        return stamped

    def _parts_of(self, it: Input) -> Iterable[tuple[int, Input]]:
        """Return what of an input goes where: to its guild's partition, to all, or its marks to each."""
        if isinstance(it, Heartbeat | GuildsKnown | MemberForgotten | TrackersKnown):
            return ((partition, it) for partition in range(self._partitions))
        if isinstance(it, ScopeCommitted):
            return split(it, self._partitions)
        return ((partition_of(it.guild_id, self._partitions), it),)

    # The writer's thread.

    def _run(self) -> None:
        backoff_s = BACKOFF_S[0]
        while self._wait_for_entries():
            try:
                self._send_batch()
            except Exception as error:  # noqa: BLE001 - Redis, the disk, a bug: the entries wait, and it is told
                self._note_away(error)
                if self._deadline is not None:
                    return
                self._pause(backoff_s)
                backoff_s = min(backoff_s * 2, BACKOFF_S[1])
            else:
                self._note_connected()
                backoff_s = BACKOFF_S[0]

    def _wait_for_entries(self) -> bool:
        """Wait until a batch is worth sending; False once closed and done, or out of time."""
        with self._changed:
            if not self._spool.entries:
                self._changed.wait_for(lambda: self._memory or self._deadline is not None)
                self._changed.wait_for(
                    lambda: len(self._memory) >= FLUSH_ENTRIES or self._deadline is not None, FLUSH_S
                )
            if self._deadline is None:
                return True
            return bool(self._memory or self._spool.entries) and time.monotonic() < self._deadline

    def _send_batch(self) -> None:
        """Send the oldest entries, and forget them once Redis has them."""
        if self._must_spill():
            self._spill()
        if self._spool.entries:
            batch, mark = self._spool.peek(BATCH_MAX_ENTRIES)
            self._send(batch)
            self._spool.take(len(batch), mark)
        else:
            with self._changed:
                batch = list(islice(self._memory, BATCH_MAX_ENTRIES))
            self._send(batch)
            self._forget(len(batch))
        # What was taken from the file makes no room in it before all is taken.
        self._spool_full = self._spool_full and self._spool.entries > 0

    def _send(self, batch: list[Spooled]) -> None:
        packed = b"".join(
            [b"%b$%d\r\n%b\r\n" % (_command_prefix(partition), len(raw), raw) for partition, raw in batch]
        )
        self._wire.open()
        self._resent += self._unanswered
        self._unanswered = len(batch)
        self._wire.transaction(packed, len(batch))
        self._unanswered = 0

    def _spill(self) -> None:
        """Move what waits in memory to the end of the spool, as much as there is room."""
        with self._changed:
            waiting = list(self._memory)
        if not waiting:
            return
        try:
            moved = self._spool.put(waiting)
        except OSError as error:
            self._note_spool_full(error.strerror or str(error))
            return
        self._forget(moved)
        if moved < len(waiting):
            self._note_spool_full("storage.spool_max_mb is reached")
        else:
            self._spool_full = False

    def _forget(self, count: int) -> None:
        with self._changed:
            for _ in range(count):
                self._memory.popleft()

    def _note_spool_full(self, reason: str) -> None:
        if not self._spool_full:
            _log.error(
                "spool_full", reason=reason, entries=self._spool.entries, spool_bytes=self._spool.size_bytes
            )
        self._spool_full = True

    def _note_away(self, error: Exception) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            self._connected, self._since_at = False, _now_ms()
            _log.warning("journal_away", reason=str(error))
        self._away_reason = str(error)
        away_s = time.monotonic() - self._away_since
        if away_s >= SPILL_AFTER_S:
            self._spill()

    def _note_connected(self) -> None:
        if self._connected:
            return
        if self._away_since is not None:
            _log.warning("journal_back", away_s=round(time.monotonic() - self._away_since, 3))
        self._away_since = None
        self._connected, self._since_at = True, _now_ms()

    def _pause(self, seconds: float) -> None:
        """Wait before the next try, unless there is something to do at once."""
        with self._changed:
            self._changed.wait_for(lambda: self._deadline is not None or self._must_spill(), seconds)

    def _must_spill(self) -> bool:
        return len(self._memory) > self._memory_max_entries and not self._spool_full


@cache
def _command_prefix(partition: int) -> bytes:
    """Return the bytes of an XADD up to its value. Packed once: this is the door's hot path."""
    whole = pack_command(("XADD", stream_key(partition), "*", FIELD, b""))
    return whole.removesuffix(b"$0\r\n\r\n")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
