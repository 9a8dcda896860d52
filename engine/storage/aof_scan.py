r"""Reads an append-only file of the embedded server as commands, and finds what cannot be one.

The file is RESP: ``*<n>\r\n`` and n times ``$<bytes>\r\n<bytes>\r\n`` (Redis serialization protocol
specification). It has no checksums, so a byte that was changed shows in three ways: the form is broken; a
command is called like none that there is; a journal entry has an id out of order, for which the server
would pass over it, or over all that follow, without a word. What is inside an entry, its own checksum tells.
"""

import re
from collections.abc import Iterator
from enum import Enum
from mmap import mmap
from typing import NamedTuple

Id = tuple[int, int]
Data = bytes | mmap

# A journal entry as the server writes it, up to its bytes. Nearly all there is in the file.
_ENTRY = re.compile(
    rb"\*5\r\n\$4\r\nXADD\r\n\$\d+\r\n(rollcall:journal:\d+)\r\n"
    rb"\$\d+\r\n(\d{1,20})-(\d{1,20})\r\n\$1\r\ne\r\n\$(\d{1,10})\r\n"
)
_ARRAY = re.compile(rb"\*([1-9]\d{0,7})\r\n")
_BULK = re.compile(rb"\$(\d{1,10})\r\n")
_COMMENT = re.compile(rb"#[^\n]{0,200}\r\n")
JOURNAL = b"\r\nrollcall:journal:"
# What a command begins with, wherever one goes on after damage.
_BEGINNING = re.compile(rb"\*[1-9]\d{0,7}\r\n\$\d{1,2}\r\n[A-Za-z]+\r\n\$?")
# What a server writes into its file: all commands of Redis and Valkey that change something.
_NAMES = frozenset(
    b"""
    APPEND BITFIELD BITOP COPY DECR DECRBY DEL EVAL EVALSHA EXEC EXPIRE EXPIREAT FCALL FLUSHALL FLUSHDB
    FUNCTION GEOADD GETDEL GETEX GETSET HDEL HEXPIRE HEXPIREAT HGETDEL HGETEX HINCRBY HINCRBYFLOAT HMSET
    HPERSIST HPEXPIRE HPEXPIREAT HSET HSETEX HSETNX INCR INCRBY INCRBYFLOAT LINSERT LMOVE LMPOP LPOP LPUSH
    LPUSHX LREM LSET LTRIM MOVE MSET MSETEX MSETNX MULTI PERSIST PEXPIRE PEXPIREAT PFADD PFMERGE PSETEX
    PUBLISH RENAME RENAMENX RESTORE RPOP RPOPLPUSH RPUSH RPUSHX SADD SCRIPT SDIFFSTORE SELECT SET SETBIT
    SETEX SETNX SETRANGE SINTERSTORE SMOVE SORT SPOP SPUBLISH SREM SUNIONSTORE SWAPDB UNLINK XACK XADD
    XAUTOCLAIM XCLAIM XDEL XGROUP XREADGROUP XSETID XTRIM ZADD ZDIFFSTORE ZINCRBY ZINTERSTORE ZMPOP
    ZPOPMAX ZPOPMIN ZRANGESTORE ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZUNIONSTORE
    """.split()
)


class Kind(Enum):
    """What a part of the file is."""

    COMMAND = 0
    ENTRY = 1  # a command that appends to the journal
    BEGIN = 2  # MULTI
    END = 3  # EXEC
    RESET = 4  # after it, a journal may begin anew
    BROKEN = 5


class Part(NamedTuple):
    """Bytes ``start`` to ``end`` of the file. Of an entry also its stream and id."""

    kind: Kind
    start: int
    end: int
    stream: bytes = b""
    id: Id = (0, 0)


_KINDS = {b"MULTI": Kind.BEGIN, b"EXEC": Kind.END, b"FLUSHALL": Kind.RESET, b"FLUSHDB": Kind.RESET}
_RESETS = {b"DEL", b"UNLINK", b"RENAME", b"XSETID"}


def is_sound(data: Data, latest_ms: int) -> bool:
    """Say whether a file has nothing to repair: its form, its commands' names, the order of its entries.

    ``latest_ms``: an id of a later moment (ms UTC) cannot be right. Looks at some 200,000 commands a second.
    """
    at, size = 0, len(data)
    lasts: dict[bytes, Id] = {}
    match = _ENTRY.match
    while at < size:
        head = match(data, at)
        if head is None:
            part = _command(data, at)
            if part is None:
                return False
            if part.kind is Kind.RESET:
                lasts.clear()
            at = part.end
            continue
        stream, milliseconds, number, length = head.groups()
        at = head.end() + int(length) + 2
        found = int(milliseconds), int(number)
        if data[at - 2 : at] != b"\r\n" or not lasts.get(stream, (-1, 0)) < found <= (latest_ms, 0):
            return False
        lasts[stream] = found
    return True


def parts(data: Data) -> Iterator[Part]:
    """Yield all of a file's bytes in order: its commands, and between them what is broken."""
    at, size = 0, len(data)
    while at < size:
        found = _entry(data, at) or _command(data, at)
        if found is None:
            found = Part(Kind.BROKEN, at, _next_command(data, at + 1))
        yield found
        at = found.end


def _entry(data: Data, at: int) -> Part | None:
    head = _ENTRY.match(data, at)
    if head is None:
        return None
    end = head.end() + int(head[4]) + 2
    if data[end - 2 : end] != b"\r\n":
        return None
    return Part(Kind.ENTRY, at, end, head[1], (int(head[2]), int(head[3])))


def _command(data: Data, at: int) -> Part | None:
    head = _ARRAY.match(data, at)
    if head is None:
        comment = _COMMENT.match(data, at)
        return comment and Part(Kind.COMMAND, at, comment.end())
    end, name = head.end(), b""
    for number in range(int(head[1])):
        bulk = _BULK.match(data, end)
        if bulk is None:
            return None
        start, end = bulk.end(), bulk.end() + int(bulk[1]) + 2
        if data[end - 2 : end] != b"\r\n":
            return None
        if not number:
            name = data[start : end - 2].upper()
    of_journal = JOURNAL in data[at:end]
    # An entry that does not look like one has lost its id, say, or its field.
    if _is_garbled(name) or (name == b"XADD" and of_journal):
        return None
    if name in _RESETS and of_journal:
        return Part(Kind.RESET, at, end)
    return Part(_KINDS.get(name, Kind.COMMAND), at, end)


def _is_garbled(name: bytes) -> bool:
    """Say whether a name is a known one but for a byte. Any other may be a later release's."""
    if name in _NAMES:
        return False
    return not name.isalpha() or any(_differ_in_one(name, it) for it in _NAMES)


def _differ_in_one(one: bytes, other: bytes) -> bool:
    return len(one) == len(other) and sum(a != b for a, b in zip(one, other, strict=True)) == 1


def _next_command(data: Data, at: int) -> int:
    """Return where the next whole command begins, the end of the file if there is none."""
    for beginning in _BEGINNING.finditer(data, at):
        start = beginning.start()
        if _entry(data, start) or _command(data, start):
            return start
    return len(data)
