import signal
import socket
import stat
import subprocess
import sys
from contextlib import ExitStack

import pytest
import redis

from engine.storage import embedded as module
from engine.storage.embedded import EmbeddedServer
from engine.storage.protocols import StorageError, StorageUnfit
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
        with pytest.raises(StorageUnfit, match="another Redis"):
            ours.prepare()
        assert other.process.poll() is None

    def test_somebody_elses_server_that_asks_for_a_password_is_left_alone(self, server, make_server):
        other = make_server().start()
        with connect(other.url) as client:
            client.config_set("requirepass", "secret")
        ours = EmbeddedServer(server.folder, other.embedded.socket)
        with pytest.raises(StorageUnfit, match="another Redis"):
            ours.prepare()
        assert other.process.poll() is None
        assert other.embedded.socket.exists()

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


class TestSilentLeftover:
    """A server that an earlier life left, and that holds its socket without answering."""

    @pytest.fixture
    def left(self, server, monkeypatch):
        monkeypatch.setattr(module, "ANSWER_S", 0.05)
        server.start()
        with connect(server.url) as client:
            client.xadd("s", {"e": 1})
        server.process.send_signal(signal.SIGSTOP)
        return server.process

    @pytest.mark.parametrize(("comes", "code"), [(signal.SIGCONT, 0), (signal.SIGKILL, -signal.SIGKILL)])
    def test_it_is_waited_for_until_it_answers_or_is_dead(self, server, left, monkeypatch, comes, code):
        monkeypatch.setattr(module.time, "sleep", lambda _: left.send_signal(comes))
        server.embedded.prepare()
        monkeypatch.undo()
        assert left.wait(10) == code
        assert length(server.start()) == 1

    def test_while_it_is_there_no_other_is_started_and_a_later_try_may_go_better(
        self, server, left, monkeypatch
    ):
        monkeypatch.setattr(module, "LEFTOVER_S", 0.1)
        with pytest.raises(StorageError, match="end it first") as told:
            server.embedded.prepare()
        assert not isinstance(told.value, StorageUnfit)
        assert server.embedded.socket.exists()
        assert left.poll() is None

    @pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a full queue is told as nobody there")
    def test_one_that_lets_nobody_in_any_more_is_there_all_the_same(self, server, left, monkeypatch):
        monkeypatch.setattr(module, "LEFTOVER_S", 0.1)
        with ExitStack() as waiting:
            fill_up(server.embedded.socket, waiting)
            with pytest.raises(StorageError, match="end it first"):
                server.embedded.prepare()
        assert server.embedded.socket.exists()
        assert left.poll() is None

    def test_one_that_shuts_down_slowly_is_waited_for(self, server, monkeypatch):
        left = server.start().process
        shut_down = redis.Redis.shutdown

        def slowly(client, **how):
            """Have the order sent, and no answer to it in time."""
            left.send_signal(signal.SIGSTOP)
            shut_down(client, **how)

        monkeypatch.setattr(module, "ANSWER_S", 0.05)
        monkeypatch.setattr(redis.Redis, "shutdown", slowly)
        monkeypatch.setattr(module.time, "sleep", lambda _: left.send_signal(signal.SIGCONT))
        server.embedded.prepare()
        monkeypatch.undo()
        assert left.wait(10) == 0


def fill_up(path, waiting):
    """Have so many wait at a socket that the next one is refused for now."""
    while True:
        client = waiting.enter_context(socket.socket(socket.AF_UNIX))
        client.setblocking(False)
        try:
            client.connect(str(path))
        except BlockingIOError:
            return


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
        with pytest.raises(StorageUnfit, match="install redis-server"):
            EmbeddedServer(tmp_path, tmp_path / "r.sock").prepare()
