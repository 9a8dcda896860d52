"""The part of a partition that is a fact: where it stands in its journal, and its time."""

from msgspec import Struct

from engine.domain.gateway import Connections

START = "0-0"  # the id before a stream's first entry


class PartitionState(Struct, frozen=True):
    """Committed together with the effects of the entries up to ``cursor``.

    ``now`` is the partition's time: the highest ``at`` taken so far; it never runs back. ``sources`` maps a
    writer's life to ``(last seq taken, at of that entry)``.
    """

    cursor: str = START
    now: int = 0
    sources: dict[str, tuple[int, int]] = {}
    connections: Connections = {}
