"""The embedded server is not started before the disk has room for what it writes."""

import pytest
from structlog.testing import capture_logs

from engine.storage import room
from engine.storage.protocols import StorageError, StorageUnfit
from engine.storage.redis_client import connect
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


class TestTornFile:
    @pytest.fixture
    def torn(self, make_server):
        """A server that was killed over a write; what it has is larger than a small file."""
        server = make_server().start()
        with connect(server.url) as client:
            client.xadd("s", {"e": bytes(9_000)})
        server.kill()
        (file,) = server.embedded.dir.glob("appendonlydir/*.incr.aof")
        file.write_bytes(file.read_bytes() + b"*3\r\n$4")
        return server

    def test_it_is_not_copied_before_there_is_room_for_the_copy_and_what_is_written_anew(
        self, torn, monkeypatch
    ):
        sizes = {it.name: it.stat().st_size for it in torn.embedded.dir.glob("appendonlydir/*")}
        needed = room.ROOM_BYTES + sum(sizes.values()) + max(sizes.values())
        free = [room.ROOM_BYTES, room.ROOM_BYTES, needed - 1, needed - 1, needed]

        def next_free(_):
            assert copies(torn) == []
            return free.pop(0) if len(free) > 1 else free[0]

        monkeypatch.setattr(room, "_free", next_free)
        monkeypatch.setattr(room, "LOOK_S", 0)
        with capture_logs() as logs:
            torn.start()
        assert [it["event"] for it in logs] == ["disk_full", "append_only_file_repaired"]
        assert (logs[0]["needed_bytes"], free, len(copies(torn))) == (needed, [needed], 1)

    def test_where_the_room_goes_during_the_copy_nothing_is_left_of_it_and_a_second_try_repairs(
        self, torn, largest_file
    ):
        with largest_file(4_096), pytest.raises(StorageError, match=r"prepare .*: File too large") as told:
            torn.start()
        assert not isinstance(told.value, StorageUnfit)
        assert copies(torn) == []
        torn.start()
        with connect(torn.url) as client:
            assert client.xlen("s") == 1


def copies(server):
    return list(server.embedded.dir.glob("appendonlydir.damaged-*"))
