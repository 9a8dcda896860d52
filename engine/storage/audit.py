"""An event's attendance held as it was, to be read when there is time for it."""

import threading
from pathlib import Path

from engine.domain.events import Event
from engine.storage.attendance_rows import find_attendance
from engine.storage.database import driver, faults, open_readonly
from engine.storage.event_rows import find_event
from engine.storage.protocols import Attendance, StorageError


class Audit:
    """A snapshot of the ledger, on a connection of its own; the call reads it and closes it, on any thread.

    While it is held the ledger's log cannot be copied back, so it should not be held for long. Making it
    raises ``StorageError`` where there is no such event; so does a second call, and one after ``close``.
    """

    def __init__(self, path: Path, event_id: int) -> None:
        self._path, self._lock = path, threading.Lock()
        self._database = open_readonly(path)
        self.closed = False
        try:
            self._event = self._begin(event_id)
        except BaseException:
            self.close()
            raise

    def __call__(self) -> Attendance:
        """Return the attendance, once."""
        with self._lock:
            if self.closed:
                raise StorageError(f"{self._path}: this audit was read already, or its ledger was closed")
            try:
                with faults(self._path):
                    return find_attendance(driver(self._database), self._event)
            finally:
                self._close()

    def close(self) -> None:
        """Let go of the snapshot; a call under way ends first."""
        with self._lock:
            self._close()

    def _begin(self, event_id: int) -> Event:
        with faults(self._path):
            connection = driver(self._database)
            connection.execute("BEGIN")
            event = find_event(connection, event_id)  # the first read is what takes the snapshot
        if event is None:
            raise StorageError(f"{self._path} has no event {event_id}")
        return event

    def _close(self) -> None:
        self.closed = True
        self._database.close()
