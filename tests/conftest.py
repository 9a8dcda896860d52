import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

from engine.config import ConfigError, load
from engine.storage.embedded import EmbeddedServer
from engine.storage.redis_client import connect
from tests.waiting import until

# How long an example takes is the machine's affair.
settings.register_profile("rollcall", deadline=None)
settings.load_profile("rollcall")


class RunningServer:
    """An embedded server in a folder of its own (a short one: sockets have short paths)."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="rc-"))
        self.embedded = EmbeddedServer(self.folder, self.folder / "redis.sock")
        self.url = self.embedded.url
        self.process = None

    def start(self, *options):
        self.embedded.prepare()
        self.process = subprocess.Popen([*self.embedded.command(), *options])
        self.embedded.wait_ready(10)
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def remove(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder)


@pytest.fixture(scope="session")
def redis_server():
    """The one server that tests share as long as they leave it running: see ``redis_url``."""
    server = RunningServer().start()
    yield server
    server.remove()


@pytest.fixture
def redis_url(redis_server):
    """The url of an empty Redis."""
    with connect(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture
def make_server():
    """Make servers, not yet started, that a test may kill and damage."""
    servers = []

    def make():
        servers.append(RunningServer())
        return servers[-1]

    yield make
    for server in servers:
        server.remove()


@pytest.fixture
def eventually():
    """``eventually(condition)``: wait until it holds, and return what it returned."""
    return until


@pytest.fixture
def loaded(tmp_path):
    """Load a text as config.toml."""

    def read(text="", environ=None):
        path = tmp_path / "config.toml"
        path.write_text(text)
        return load(path, environ or {})

    return read


@pytest.fixture
def problems(tmp_path):
    """Load a text as config.toml and return what is wrong with it, without the file's name."""

    def find(text, environ=None):
        path = tmp_path / "config.toml"
        path.write_text(text) if isinstance(text, str) else path.write_bytes(text)
        with pytest.raises(ConfigError) as caught:
            load(path, environ or {})
        assert all(line.startswith(f"{path}: ") for line in caught.value.problems)
        return [line.removeprefix(f"{path}: ") for line in caught.value.problems]

    return find
