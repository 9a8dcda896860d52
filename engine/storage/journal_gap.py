"""What a journal no longer has of what a ledger has yet to take: after a backup was put back, say.

Entries carry (source, seq), and a life of a writer numbers them without a hole: the numbers that are missing
are the entries that are lost.
"""

from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

from engine.domain.partition import START
from engine.storage.backup import Standing
from engine.storage.journal import RedisJournal, entry_id
from engine.storage.protocols import Record

_PORTION = 10_000  # entries


class Gap(NamedTuple):
    """A partition's journal begins after what the ledger has taken.

    ``since`` and ``until`` (ms UTC): the time that is lost, between the last entry taken and the first there
    is; None: from the beginning, or up to now. ``entries``: how many are known to be lost. Of a writer's life
    that began and ended in between nothing is known.
    """

    partition: int
    cursor: str
    first_id: str | None
    since: int | None
    until: int | None
    entries: int


def gap_behind(url: str, partition: int, standing: Standing) -> Gap | None:
    """Return what lies between a ledger and its journal, None if nothing does. Raises ``ConnectionError``.

    Where there is a gap the whole journal is read, some 100,000 entries a second.
    """
    with closing(RedisJournal(url, partition)) as journal:
        return _gap(journal, partition, standing)


def _gap(journal: RedisJournal, partition: int, standing: Standing) -> Gap | None:
    first = next(iter(journal.read(START, 1, block_ms=0)), None)
    since = standing.now or None
    if first is None:
        known = standing.cursor != START
        return Gap(partition, standing.cursor, None, since, None, 0) if known else None
    if entry_id(first.journal_id) <= entry_id(standing.cursor):
        return None
    missing = _missing(_records(journal), standing)
    if standing.cursor == START and not missing:
        return None
    until = first.entry.input.at if first.entry else entry_id(first.journal_id)[0]
    return Gap(partition, standing.cursor, first.journal_id, since, until, missing)


def _missing(records: Iterator[Record], standing: Standing) -> int:
    reached, missing = dict(standing.seqs), 0
    for record in records:
        if record.entry is None:
            continue
        source, seq = record.entry.source, record.entry.seq
        last = reached.get(source, 0)
        if seq > last:
            missing += seq - last - 1
            reached[source] = seq
    return missing


def _records(journal: RedisJournal) -> Iterator[Record]:
    after = START
    while found := journal.read(after, _PORTION, block_ms=0):
        yield from found
        after = found[-1].journal_id
