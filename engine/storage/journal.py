"""The journal: how entries are written down, and one partition's stream of them as its reader sees it.

An entry is 4 bytes of CRC-32 (big-endian) and a msgpack array (``engine.domain.inputs.Entry``). The checksum
is ours because an append-only file has none per record: a server starts on a damaged one without a word.
"""

from collections.abc import Callable
from typing import Any
from zlib import crc32

import msgspec
import redis

from engine.domain.inputs import Entry
from engine.domain.partition import START
from engine.storage.protocols import Record
from engine.storage.redis_client import Wire, away_as_connection_error, connect

FIELD = b"e"
CHECKSUM_BYTES = 4
BLOCK_MAX_MS = 2_000
# A reply may take as long as the longest block; only beyond that is the server away.
READ_TIMEOUT_S = BLOCK_MAX_MS / 1000 + 3
LAG_COUNTED = 10_000  # entries

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Entry)


class CorruptEntry(Exception):  # noqa: N818 - named for what was read, as the callers see it
    """The bytes are no entry, or no longer."""


def stream_key(partition: int) -> str:
    """Return the key of a partition's stream."""
    return f"rollcall:journal:{partition}"


def encode(entry: Entry) -> bytes:
    """Return the entry's bytes. Raises ``OverflowError`` for an integer beyond 64 bits."""
    payload = _encoder.encode(entry)
    return crc32(payload).to_bytes(CHECKSUM_BYTES, "big") + payload


def decode(raw: bytes) -> Entry:
    """Read an entry back. Raises ``CorruptEntry``, and nothing else, for any other bytes."""
    payload = raw[CHECKSUM_BYTES:]
    if crc32(payload) != int.from_bytes(raw[:CHECKSUM_BYTES], "big"):
        raise CorruptEntry("the checksum does not match")
    try:
        return _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptEntry(f"not a journal entry: {error}") from None


class RedisJournal:
    """One partition's stream (``protocols.Journal``). ``read`` has one caller, the rest any thread.

    ``needed_after``: where the newest backup of the ledger stands; what follows outlasts the retention.
    """

    def __init__(
        self,
        url: str,
        partition: int,
        *,
        retention_ms: int = 86_400_000,
        max_entries: int = 1_000_000,
        needed_after: Callable[[], str] | None = None,
    ) -> None:
        self._url = url
        self._key = stream_key(partition)
        self._retention_ms = retention_ms
        self._max_entries = max_entries
        self._needed_after = needed_after
        self._wire = Wire(url, timeout_s=READ_TIMEOUT_S)
        self._client = connect(url)

    def read(self, after: str, count: int, block_ms: int) -> list[Record]:
        """Return up to ``count`` records after the id ``after``; waits for the first, 2 s at most."""
        # BLOCK 0 would mean for ever.
        block = ("BLOCK", min(block_ms, BLOCK_MAX_MS)) if block_ms > 0 else ()
        reply = self._wire.ask("XREAD", "COUNT", count, *block, "STREAMS", self._key, after)
        return [_record(journal_id, fields) for journal_id, fields in reply[0][1]] if reply else []

    def last_id(self) -> str:
        """Return the id of the last entry ever appended, ``0-0`` if none."""
        info = self._info()
        return str(info["last-generated-id"].decode()) if info else START

    def entry_at(self, journal_id: str) -> Record | None:
        """Return the entry of this id, None if it is not kept."""
        reply = self._wire.ask("XRANGE", self._key, journal_id, journal_id)
        return _record(*reply[0]) if reply else None

    def length(self) -> int:
        """Return how many entries are kept."""
        with away_as_connection_error(self._url):
            return int(self._client.xlen(self._key))

    def lag(self, cursor: str) -> int:
        """Return how many entries lie behind ``cursor``: exactly up to 10,000, estimated beyond.

        A stream cannot tell an entry's rank, and counting a million of them would hold up the server. The
        estimate takes the entries as evenly spread over the time between the first and the last.
        """
        info = self._info()
        if info is None or entry_id(info["last-generated-id"]) <= entry_id(cursor) or not info["length"]:
            return 0
        if entry_id(cursor) < entry_id(info["first-entry"][0]):
            return int(info["length"])
        with away_as_connection_error(self._url):
            counted: Any = self._client.xrange(self._key, f"({cursor}", "+", count=LAG_COUNTED)
        if len(counted) < LAG_COUNTED:
            return len(counted)
        first, here, last = (
            entry_id(it)[0] for it in (info["first-entry"][0], counted[-1][0], info["last-generated-id"])
        )
        rest = int(info["length"] * (last - here) / max(last - first, 1))
        return min(LAG_COUNTED + rest, int(info["length"]))

    def trim(self, committed: str, now: int) -> int:
        """Remove entries older than the retention or above the cap, never one after ``committed``.

        The retention compares ``now`` with the server's clock, which made the ids, and keeps what the newest
        backup would need to catch up. The cap spares only what is not committed, and is kept to within a
        stream node (100 entries). Returns how many were removed.
        """
        needed = entry_id(self._needed_after()) if self._needed_after else entry_id(committed)
        milliseconds, number = min((max(now - self._retention_ms, 0), 0), entry_id(committed), needed)
        with away_as_connection_error(self._url):
            removed = self._trim("=", f"{milliseconds}-{number}")
            surplus = self._client.xlen(self._key) - self._max_entries
            # MAXLEN knows no cursor. MINID with a limit cannot pass it, whatever is appended meanwhile.
            return removed + (self._trim("~", committed, "LIMIT", surplus) if surplus > 0 else 0)

    def close(self) -> None:
        """Close the connections. Not while another thread reads."""
        self._wire.close()
        self._client.close()

    def _trim(self, exactness: str, oldest: str, *limit: str | int) -> int:
        client: Any = self._client
        return int(client.execute_command("XTRIM", self._key, "MINID", exactness, oldest, *limit))

    def _info(self) -> dict[str, Any] | None:
        with away_as_connection_error(self._url):
            try:
                info: dict[str, Any] = self._client.xinfo_stream(self._key)
            except redis.ResponseError as error:
                if "no such key" in str(error):
                    return None
                raise
            return info


def latest_at(url: str, partition: int) -> int:
    """Return the highest ``at`` among a partition's last entries, in ms UTC; 0 if there are none.

    Raises ``ConnectionError``.
    """
    with away_as_connection_error(url), connect(url) as client:
        # Several, since writers may differ by a little and the last entry may be unreadable.
        newest: Any = client.xrevrange(stream_key(partition), count=10)
    records = [_record(journal_id, [*next(iter(fields.items()))]) for journal_id, fields in newest]
    return max((it.entry.input.at for it in records if it.entry is not None), default=0)


def _record(journal_id: bytes, fields: list[bytes]) -> Record:
    return read_entry(journal_id.decode(), fields[1] if fields[0] == FIELD else b" ".join(fields))


def read_entry(journal_id: str, raw: bytes) -> Record:
    """Return an entry's bytes as a record; one that cannot be read says why."""
    try:
        return Record(journal_id, decode(raw), raw)
    except CorruptEntry as error:
        return Record(journal_id, None, raw, str(error))


def entry_id(text: str | bytes) -> tuple[int, int]:
    """Return an entry's id as what its order goes by: ms of the server's clock, and a number within."""
    milliseconds, _, number = (text.decode() if isinstance(text, bytes) else text).partition("-")
    return int(milliseconds), int(number or 0)
