"""What a partition reads: in which portions it is taken, and where in the journal it stands."""

from collections.abc import Iterator

from engine.domain.inputs import GuildsKnown
from engine.storage.protocols import Record


def batches(records: list[Record]) -> Iterator[list[Record]]:
    """Cut what was read before and after each entry that must be a batch of its own."""
    start = 0
    for index in [index for index, record in enumerate(records) if alone(record)]:
        if start < index:
            yield records[start:index]
        yield [records[index]]
        start = index + 1
    if start < len(records):
        yield records[start:]


def alone(record: Record) -> bool:
    """Say whether an entry is about all guilds: what it does depends on what is known of each of them."""
    return record.entry is not None and type(record.entry.input) is GuildsKnown


def place(journal_id: str) -> tuple[int, ...]:
    """Return what tells which of two ids is later."""
    return tuple(map(int, journal_id.split("-")))
