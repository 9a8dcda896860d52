"""Holes in the journal: the engine finds them and tells the ingest, which then begins its sessions anew.

Through the status board, and again each second until the connection in doubt is another one's: nothing on it
counts as certain until then.
"""

from collections.abc import Iterable

import structlog

from engine.daemon.common import ENGINE_STATUS
from engine.domain.gateway import Hole
from engine.storage.status import StatusBoard

log = structlog.get_logger(__name__)


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


def holes_of(source: str, board: StatusBoard) -> list[Hole]:
    """Return the holes in what a life of the ingest has told.

    Raises ``ConnectionError`` when Redis is away.
    """
    told = (board.read(ENGINE_STATUS) or {}).get("holes", [])
    return [(whose, since) for whose, since in told if f"{whose}/".startswith(f"{source}/")]
