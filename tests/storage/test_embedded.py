import stat
import subprocess

import pytest

from engine.storage.embedded import EmbeddedServer
from engine.storage.protocols import StorageError
from engine.storage.redis_client import connect
from engine.storage.server_binary import find_server

ENTRIES = 200


@pytest.fixture
def server(make_server):
    return make_server()


def fill(server):
    """Start the server, append entries, kill it, and return its append-only file."""
    server.start()
    with connect(server.url) as client:
        for number in range(ENTRIES):
            client.xadd("s", {"e": number})
    server.kill()
    (file,) = server.embedded.dir.glob("appendonlydir/*.incr.aof")
    return file


def length(server):
    with connect(server.url) as client:
        return client.xlen("s")


class TestServer:
    def test_it_keeps_what_it_acknowledged_through_a_kill(self, server):
        fill(server)
        assert length(server.start()) == ENTRIES

    def test_it_is_as_private_and_durable_as_promised(self, server):
        server.start()
        with connect(server.url) as client:
            settings = client.config_get("*")
        kept = {name: settings[name] for name in ("port", "appendonly", "appendfsync", "save")}
        assert kept == {"port": "0", "appendonly": "yes", "appendfsync": "always", "save": ""}
        assert settings["maxmemory-policy"] == "noeviction"
        assert stat.S_IMODE(server.embedded.socket.stat().st_mode) == 0o600

    def test_a_path_with_blanks_and_quotes_is_fine(self, server):
        folder = server.folder / 'a "b" \\c é'
        embedded = EmbeddedServer(folder, folder / "r.sock")
        embedded.prepare()
        with subprocess.Popen(embedded.command()) as process:
            embedded.wait_ready(10)
            with connect(embedded.url) as client:
                assert client.ping()
            process.terminate()

    def test_a_stale_socket_is_no_obstacle(self, server):
        server.start()
        server.kill()
        assert server.embedded.socket.exists()
        server.start()

    def test_a_server_left_running_is_ended_and_its_entries_kept(self, server):
        server.start()
        with connect(server.url) as client:
            client.xadd("s", {"e": 1})
        left = server.process
        server.start()
        assert left.wait(10) == 0
        assert length(server) == 1

    def test_somebody_elses_server_on_our_socket_is_left_alone(self, server, make_server):
        other = make_server().start()
        ours = EmbeddedServer(server.folder, other.embedded.socket)
        with pytest.raises(StorageError, match="another Redis"):
            ours.prepare()
        assert other.process.poll() is None

    def test_a_server_that_dies_at_once_is_told_with_its_last_words(self, server):
        embedded = server.embedded
        embedded.prepare()
        (embedded.dir / "redis.conf").write_text("no-such-setting 1\n")
        with (
            subprocess.Popen(embedded.command(), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL),
            pytest.raises(StorageError, match="does not answer"),
        ):
            embedded.wait_ready(0.05)

    def test_a_folder_that_cannot_be_made_is_told(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(StorageError, match="cannot prepare"):
            EmbeddedServer(tmp_path / "file", tmp_path / "r.sock").prepare()


class TestBinary:
    @pytest.fixture
    def program(self, tmp_path, monkeypatch):
        """Put a program on an otherwise empty PATH."""
        monkeypatch.setenv("PATH", str(tmp_path))

        def make(name, words):
            path = tmp_path / name
            path.write_text(f"#!/bin/sh\necho '{words}'\n")
            path.chmod(0o700)
            return path

        return make

    def test_one_on_the_path_that_is_recent_enough_comes_first(self, program):
        path = program("redis-server", "Redis server v=7.2.4 sha=00000000:0 malloc=libc")
        found = find_server()
        assert (found.path, found.kind, found.version) == (path, "redis", (7, 2, 4))

    @pytest.mark.parametrize("words", ["Redis server v=6.2.14 sha=0", "something else", ""])
    def test_one_that_is_too_old_or_none_at_all_is_passed_over(self, program, words):
        path = program("redis-server", words)
        found = find_server()
        assert found.path != path
        assert (found.kind, found.version >= (7, 0)) == ("valkey", True)

    def test_where_there_is_none_the_way_out_is_told(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
        with pytest.raises(StorageError, match="install redis-server"):
            find_server()
