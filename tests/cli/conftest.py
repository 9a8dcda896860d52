"""A configuration in a folder of its own, a ledger with a few sessions, an engine's API that answers."""

import json
import shutil
import threading
import time
from contextlib import closing, contextmanager

import pytest

from engine.api.app import create_app
from engine.api.server import ApiServer
from engine.cli import call
from engine.config import load
from engine.domain.effects import SaveChannel, SaveGuild, SaveMember
from engine.domain.partition import START, PartitionState
from engine.inspection import Readiness
from engine.storage.ledger import SqlLedger
from engine.storage.protocols import Commit
from engine.storage.queries import SqlReads
from engine.storage.redis_client import connect
from tests.api.running import RunningEngine
from tests.cli import evening
from tests.cli.exported import session

NOON = 1_772_366_400_000  # 2026-03-01T12:00:00.000Z


class Inspected:
    """Answers as an engine with one guild does; ``looks`` counts how often the numbers were asked for."""

    def __init__(self):
        self.looks = 0

    def faults(self):
        return []

    def readiness(self):
        return Readiness()

    def overview(self):
        return {"version": "9.9", "ready": True, "reasons": [], "openSessions": 1}

    def actors(self):
        row = {"kind": "guild", "state": "running", "inbox": 0, "restarts": 0}
        return [{"name": "guild:10", **row, "openSessions": 1, "lastAt": "2026-03-01T12:00:00.000Z"}]

    def actor(self, name):
        rows = {row["name"]: row for row in self.actors()}
        return {**rows[name], "describe": {"sessions": {"5": {"channelId": "20"}}}} if name in rows else None

    def journal(self):
        return [{"partition": 0, "cursor": "5-0", "lastId": "7-0", "length": 7, "lag": 2}]

    def live(self):
        return {"cursor": "5-0", "guilds": 1, "sessions": 1, "rebuilt": 0}

    def top(self):
        self.looks += 1
        counters = {
            "entries": 100 * self.looks,
            "commits": 2 * self.looks,
            "commit_seconds": 0.5 * self.looks,
        }
        at = f"2026-03-01T12:00:{self.looks:02}.000Z"
        return {"at": at, "counters": counters, "gauges": {"open_sessions": 1}}

    def reconcile(self):
        counts = {"guilds": 1, "sessions": 2, "events": 0, "differences": {"live_stale": 1}}
        return {"at": None, "tookMs": 3, **counts, "journalRewinds": 0, "errors": []}

    def samples(self):
        return []


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a configuration in it and no secret in the environment."""
    for name in ("DISCORD_TOKEN", "ROLLCALL_TOKEN", "REDIS_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config.toml").write_text("[storage]\ndata_dir = 'd'\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def config(folder):
    return load(folder / "config.toml", {})


@pytest.fixture
def ledger(config):
    """Guild 10 "Home" with channel 20 "Lounge": users 1 to 4 came and went, user 5 is there."""
    guild = SaveGuild(10, "Home", None, None, None, None, present=True, own_user_id=None, at=NOON)
    effects = [guild, SaveChannel(10, 20, "Lounge", 2), SaveMember(10, 1, "Ann")]
    effects += [session(user, NOON + user * 1000, NOON + 3_723_000) for user in (1, 2, 3, 4)]
    effects.append(session(5, NOON + 5000, joined_slack_ms=90_000))
    with closing(SqlLedger(config.database, 0)) as ledger:
        ledger.commit(Commit(START, PartitionState(cursor="1-0", now=NOON + 10_000), effects))
    return config.database


@pytest.fixture
def engine(config, ledger):
    """The API on its Unix socket, with a real ledger behind it."""
    with served(config, SqlReads(ledger)) as inspected:
        yield inspected


@contextmanager
def served(config, reads, **more):
    """Serve the API where the command looks for it."""
    config.runtime_dir.mkdir(parents=True, exist_ok=True)
    inspected = Inspected()
    app = create_app(inspected, reads, None, require_token=False, **more)
    server = ApiServer(app, app, "127.0.0.1", 0, config.api_socket)
    server.start()
    yield inspected
    server.stop()


@pytest.fixture
def running(config, redis_url):
    """A real engine that commands may change. Time is what the test says; see ``tests.api.running``."""
    config.data_dir.mkdir(parents=True)
    with (
        RunningEngine(redis_url, config.data_dir) as running,
        served(config, running.reads, commands=running.desk),
    ):
        yield running


@pytest.fixture(scope="session")
def held(redis_server, tmp_path_factory):
    """The ledger of an evening with three events; see ``evening``."""
    with connect(redis_server.url) as client:
        client.flushall()
    return evening.hold(redis_server.url, tmp_path_factory.mktemp("evening"))


@pytest.fixture(params=["engine", "ledger"])
def evening_held(request, config, held):
    """That evening, told by an engine where one runs, else by the file; nobody can tell which."""
    config.data_dir.mkdir(parents=True)
    shutil.copy(held, config.database)
    if request.param == "ledger":
        yield
        return
    with served(config, SqlReads(config.database)):
        yield


@pytest.fixture
def _in_utc(monkeypatch):
    """Local time is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def parent(config):
    """Answer the next request on the control socket with these replies, a connection each."""
    import socket

    config.runtime_dir.mkdir(parents=True, exist_ok=True)
    asked, threads = [], []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(config.control_socket))
    listener.listen()

    def answer(reply):
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            asked.append(json.loads(lines.readline()))
            connection.sendall(json.dumps(reply).encode() + b"\n")

    def expect(reply):
        threads.append(threading.Thread(target=answer, args=(reply,), daemon=True))
        threads[-1].start()
        return asked

    yield expect
    listener.close()
    for thread in threads:
        thread.join(5)


@pytest.fixture
def write(config):
    """Make a ledger of effects that no engine has."""

    def write(*effects):
        with closing(SqlLedger(config.database, 0)) as ledger:
            ledger.commit(Commit(START, PartitionState(cursor="1-0", now=0), effects))

    return write


@pytest.fixture
def export(rollcall):
    """Run an export that goes well; return what it printed."""

    def export(*arguments):
        code, out, err = rollcall("export", *arguments)
        assert (code, err) == (0, "")
        return out

    return export


@pytest.fixture
def rollcall(folder, capsys):
    """Run a command in the folder and return its exit code and what it printed: ``(code, out, err)``."""

    def run(*arguments):
        capsys.readouterr()  # what the engine logged in this process
        code = call(list(arguments))
        return code, *capsys.readouterr()

    return run
