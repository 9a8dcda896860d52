"""What cannot work ends with a line that says what to do, and the right exit code."""

import contextlib
import re
import socket
import sqlite3
import threading

import pytest

from engine.storage.database import open_database
from engine.storage.redis_client import connect
from tests.daemon.running import until

FAILED, UNUSABLE = 1, 2


@pytest.fixture
def refused(make_daemon):
    """Start ``rollcall run``, wait for its end, and return its exit code and the lines that are no log."""

    def run(daemon):
        program = daemon.program = daemon.start("run")
        exit_code = program.wait()
        assert "Traceback" not in program.text()
        assert daemon.orphans() == []
        lines = program.text().splitlines()
        return exit_code, [line for line in lines if not line.startswith("{")]

    return run


def test_a_second_daemon_is_told_the_firsts_pid(make_daemon):
    daemon = make_daemon(simulator={"speed": 0.1}).run()
    second = daemon.rollcall("run")
    assert second.returncode == FAILED
    (line,) = [it for it in second.stderr.splitlines() if not it.startswith("{")]
    assert f"in use by pid {daemon.program.pid}: stop that one" in line
    assert daemon.ready()


def test_a_port_that_is_taken_is_named(make_daemon, refused):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        exit_code, lines = refused(make_daemon(api={"port": port}))
    assert exit_code == UNUSABLE
    assert f"config.toml: api.port: 127.0.0.1:{port} is taken by another process" in lines[0]
    assert lines[1:] == ["rollcall: engine cannot work as it is configured, see its last line"]


def test_a_data_dir_that_cannot_be_is_named(make_daemon, refused):
    daemon = make_daemon(storage={"data_dir": "file/data"})
    (daemon.folder / "file").touch()
    exit_code, (line,) = refused(daemon)
    assert exit_code == UNUSABLE
    assert "config.toml: storage.data_dir: cannot be used: Not a directory" in line


def test_a_data_dir_that_is_read_only_is_named(make_daemon, refused):
    daemon = make_daemon()
    daemon.config.data_dir.mkdir(mode=0o500)
    with contextlib.suppress(OSError):
        (daemon.config.data_dir / "probe").touch()
        pytest.skip("this account may write anywhere")
    exit_code, (line,) = refused(daemon)
    assert exit_code == UNUSABLE
    assert "config.toml: storage.data_dir: cannot be used: it is not writable" in line


def test_a_ledger_of_a_newer_schema_is_left_alone(make_daemon, refused):
    daemon = make_daemon()
    path = daemon.config.database
    open_database(path).close()
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO schema_migration (name, applied) VALUES ('0999_future', '2099-01-01')"
        )
    exit_code, lines = refused(daemon)
    assert exit_code == UNUSABLE
    assert f"{path} was written by a newer Rollcall (schema 999" in lines[0]
    assert "upgrade, or point storage.database elsewhere" in lines[0]
    assert len(lines) == 2


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (("requirepass", "right"), "refuses the password: set REDIS_PASSWORD in the environment"),
        (("appendonly", "no"), "keeps no append-only file, so its restart would lose the journal"),
        (("maxmemory-policy", "allkeys-lru"), "would evict the journal"),
    ],
)
def test_a_redis_that_is_unfit_is_refused(make_daemon, make_server, refused, setting, said):
    server = make_server().start()
    with connect(server.url) as client:
        client.config_set(*setting)
    password = "a-wrong-one" if setting[0] == "requirepass" else ""
    daemon = make_daemon({"REDIS_PASSWORD": password}, storage={"redis": server.url})
    exit_code, lines = refused(daemon)
    assert exit_code == UNUSABLE
    assert said in lines[0]
    assert len(lines) == 2
    assert not password or password not in daemon.program.text()


def test_a_redis_that_is_too_old_is_refused(make_daemon, refused, old_redis):
    daemon = make_daemon(storage={"redis": old_redis})
    exit_code, lines = refused(daemon)
    assert exit_code == UNUSABLE
    assert "is version 5.0.14: Rollcall needs 6.2 or newer" in lines[0]
    assert len(lines) == 2


def test_a_redis_that_is_away_is_waited_for(make_daemon, make_server):
    """The engine must not end the ingest, which keeps everything meanwhile."""
    server = make_server()
    daemon = make_daemon(storage={"redis": server.url}, simulator={"speed": 0.1})
    daemon.program = daemon.start("run")
    until(lambda: "redis_awaited" in daemon.program.text(), "an engine that waits")
    server.start()
    until(daemon.ready, "a ready daemon")
    assert daemon.children()["engine"]["restarts"] == 0


@pytest.fixture
def old_redis():
    """The url of something that says of itself that it is Redis 5."""
    info = b"# Server\r\nredis_version:5.0.14\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer_info, args=(listener, info))
        thread.start()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def _answer_info(listener, info):
    """Answer INFO and nothing else, to one connection after another."""
    with contextlib.suppress(OSError):  # shut down
        while True:
            connection, _ = listener.accept()
            connection.settimeout(1.0)
            with connection, contextlib.suppress(OSError):
                while request := connection.recv(4096):
                    for command in re.findall(rb"\*\d+\r\n\$\d+\r\n(\w+)\r\n", request):
                        known = command.upper() == b"INFO"
                        answer = b"$%d\r\n%b" % (len(info), info) if known else b"-ERR unknown command"
                        connection.sendall(answer + b"\r\n")
