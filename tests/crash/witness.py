"""Who reads the journal beside the engine, and so knows of each entry that the server has acknowledged.

The server answers nobody before its file is on the disk (``appendfsync always``), a reader neither. So what
was seen here must never be missing again; and where a fault destroys the journal, this is a copy of it.
"""

import threading
from contextlib import closing
from typing import TYPE_CHECKING

from engine.domain.partition import START
from engine.storage.journal import RedisJournal

if TYPE_CHECKING:
    from engine.storage.protocols import Record

ENTRIES_AT_ONCE = 5_000
BLOCK_MS = 200
AWAY_S = 0.05


class Witness:
    """``seen``: each entry by its id, in order. Reads on through every death of the server."""

    def __init__(self, url: str) -> None:
        self.seen: dict[str, Record] = {}
        self._url, self._over = url, threading.Event()
        self._thread = threading.Thread(target=self._watch, name="witness")

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def last_id(self) -> str:
        return next(reversed(self.seen), START)

    def _watch(self) -> None:
        with closing(RedisJournal(self._url, 0)) as journal:
            while not self._over.is_set():
                try:
                    records = journal.read(self.last_id, ENTRIES_AT_ONCE, BLOCK_MS)
                except ConnectionError:
                    self._over.wait(AWAY_S)
                else:
                    self.seen |= {it.journal_id: it for it in records}
