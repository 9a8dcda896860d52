"""Holes in the journal: the engine finds them and tells the ingest, which then begins its sessions anew.

Through the status board, again each second, and not through the ledger: the life of the engine that found a
hole tells of it to the life of the ingest that wrote what is missing.
"""

from collections.abc import Iterable

import structlog

from engine.daemon.common import ENGINE_STATUS
from engine.storage.status import StatusBoard

log = structlog.get_logger(__name__)

Hole = tuple[str, int]  # see ``Admission.holes``


class HoleTeller:
    """The engine's side."""

    def __init__(self, redis_url: str) -> None:
        self._board = StatusBoard(redis_url)

    def tell(self, holes: Iterable[Hole]) -> None:
        """Publish all that are known, if any. A Redis that is away is told the next time."""
        if not (known := list(holes)):
            return
        try:
            self._board.publish(ENGINE_STATUS, {"holes": known})
        except ConnectionError as error:
            log.debug("holes_untold", reason=str(error))

    def close(self) -> None:
        """Close the connection."""
        self._board.close()


def holes_of(source: str, board: StatusBoard) -> list[int]:
    """Return since when entries of a writer's life are missing, a moment for each hole.

    Raises ``ConnectionError`` when Redis is away.
    """
    told = (board.read(ENGINE_STATUS) or {}).get("holes", [])
    return [since for it, since in told if it == source]
