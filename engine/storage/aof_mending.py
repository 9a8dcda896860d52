"""What of a damaged append-only file can be loaded again, and in which words."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.storage.aof_scan import JOURNAL, Data, Id, Kind, Part, parts


@dataclass
class Mended:
    """The new file's ``pieces`` in order: bytes, or from where to where in the old file.

    ``cut_entries``: journal entries in what was cut, as far as they can be known; ``renumbered``: those whose
    id was put in order.
    """

    pieces: list[bytes | tuple[int, int]] = field(default_factory=list)
    cut_bytes: int = 0
    cut_entries: int = 0
    renumbered: int = 0

    def text(self, data: Data) -> Iterator[bytes]:
        """Yield the new file's bytes, given the old one's."""
        for it in self.pieces:
            yield it if isinstance(it, bytes) else data[it[0] : it[1]]


@dataclass
class _Stream:
    """``last`` and ``before``: the ids of the last two entries; ``at``: which piece the last one is."""

    last: Id = (-1, 0)
    before: Id = (-1, 0)
    at: int = -1


def mended(data: Data, latest_ms: int) -> Mended:
    """Return a file that loads: without what is broken, each entry behind the one before it.

    Whether a transaction was whole cannot be told once something is cut, so there are none in it any more.
    Of the last one, where it has no end, the journal's entries stay: a writer sends again what was not
    answered, and the reader knows by (source, seq) what it has taken.
    """
    return _Mending(data, latest_ms).done()


class _Mending:
    def __init__(self, data: Data, latest_ms: int) -> None:
        self._data, self._latest_ms = data, latest_ms
        self._found = Mended()
        self._streams: dict[bytes, _Stream] = {}
        self._open: list[Part] | None = None  # of a transaction that has not ended yet

    def done(self) -> Mended:
        for part in parts(self._data):
            self._take(part)
        for part in self._open or ():
            if part.kind is Kind.ENTRY:
                self._put(part)
            else:
                self._cut(part)
        return self._found

    def _take(self, part: Part) -> None:
        if part.kind in (Kind.BEGIN, Kind.END):
            for waiting in self._open or ():
                self._put(waiting)
            self._open = [] if part.kind is Kind.BEGIN else None
        elif part.kind is Kind.BROKEN:
            self._cut(part)
        elif self._open is not None:
            self._open.append(part)
        else:
            self._put(part)

    def _cut(self, part: Part) -> None:
        self._found.cut_bytes += part.end - part.start
        self._found.cut_entries += self._data[part.start : part.end].count(JOURNAL)

    def _put(self, part: Part) -> None:
        if part.kind is Kind.RESET:
            self._streams.clear()
        if part.kind is Kind.ENTRY:
            self._put_entry(part)
        else:
            self._found.pieces.append((part.start, part.end))

    def _put_entry(self, part: Part) -> None:
        """Of two entries out of order, the one is wrong that does not fit behind the one before both."""
        stream, pieces = self._streams.setdefault(part.stream, _Stream()), self._found.pieces
        found = part.id
        if found <= stream.last and _after(stream.before) < found and isinstance(pieces[stream.at], tuple):
            stream.last = _after(stream.before)
            pieces[stream.at] = self._renumbered(pieces[stream.at], stream.last)
        if found <= stream.last or found > (self._latest_ms, 0):
            found = _after(stream.last)
            pieces.append(self._renumbered((part.start, part.end), found))
        else:
            pieces.append((part.start, part.end))
        stream.before, stream.last, stream.at = stream.last, found, len(pieces) - 1

    def _renumbered(self, piece: bytes | tuple[int, int], to: Id) -> bytes:
        """Return an entry's command with another id."""
        self._found.renumbered += 1
        raw = piece if isinstance(piece, bytes) else self._data[piece[0] : piece[1]]
        head, mark, rest = raw.partition(b"\r\n$1\r\ne\r\n")
        before, _, _ = head.rpartition(b"\r\n$")
        name = b"%d-%d" % (max(to[0], 0), to[1])
        return b"%b\r\n$%d\r\n%b%b%b" % (before, len(name), name, mark, rest)


def _after(it: Id) -> Id:
    return it[0], it[1] + 1
