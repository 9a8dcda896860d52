"""The embedded server is not started before the disk has room for what it writes."""

import pytest
from structlog.testing import capture_logs

from engine.storage import room
from engine.storage.protocols import StorageError
from engine.storage.room import await_room


def test_with_room_there_is_nothing_to_wait_for(tmp_path):
    with capture_logs() as logs:
        await_room(tmp_path)
    assert logs == []


def test_on_a_full_disk_it_waits_and_says_so_once(tmp_path, monkeypatch):
    free = [0, 0, 0, room.ROOM_BYTES]
    monkeypatch.setattr(room, "_free", lambda _: free.pop(0) if len(free) > 1 else free[0])
    monkeypatch.setattr(room, "LOOK_S", 0)
    with capture_logs() as logs:
        await_room(tmp_path)
    assert [it["event"] for it in logs] == ["disk_full"]
    assert free == [room.ROOM_BYTES]


def test_without_a_parent_it_waits_no_longer(tmp_path, monkeypatch):
    parents = [7, 7, 1]
    monkeypatch.setattr(room, "_free", lambda _: 0)
    monkeypatch.setattr(room, "LOOK_S", 0)
    monkeypatch.setattr(room.os, "getppid", lambda: parents.pop(0))
    with pytest.raises(StorageError, match="no room on the disk"):
        await_room(tmp_path)
    assert parents == []
