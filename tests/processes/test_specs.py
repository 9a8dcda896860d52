"""The daemon's own children, as far as they run without a gateway: the embedded server is a real one."""

import asyncio
import os
import signal

import psutil
import pytest

from engine import directories
from engine.config import Config, load
from engine.processes.specs import answers, child_specs


def configured(folder, text="", environ=None):
    path = folder / "config.toml"
    path.write_text(text)
    return load(path, environ or {})


def names(config):
    return [spec.name for spec in child_specs(config)]


def test_the_children_are_what_the_configuration_needs_in_start_order(tmp_path):
    assert names(configured(tmp_path)) == ["redis", "simulator", "engine", "ingest"]
    token = {"DISCORD_TOKEN": "x"}
    assert names(configured(tmp_path, environ=token)) == ["redis", "engine", "ingest"]
    external = "[storage]\nredis = 'redis://localhost'"
    assert names(configured(tmp_path, external, token)) == ["engine", "ingest"]


def test_all_children_together_stop_within_ten_seconds(tmp_path):
    assert sum(spec.stop_s for spec in child_specs(configured(tmp_path))) < 10


def test_a_child_gets_the_configuration_of_its_parent(tmp_path):
    [engine] = [spec for spec in child_specs(configured(tmp_path)) if spec.name == "engine"]
    assert engine.command()[-3:] == ["engine", "--config", str(tmp_path / "config.toml")]
    [engine] = [spec for spec in child_specs(Config(None, tmp_path)) if spec.name == "engine"]
    assert engine.command()[-1] == "engine"


async def test_the_embedded_server_is_awaited_and_comes_back_when_killed(tmp_path, supervised, until):
    config = configured(tmp_path)
    directories.prepare(config)
    spec = child_specs(config)[0]
    async with supervised(spec) as supervisor:
        await ready(spec)
        [before] = supervisor.describe()
        assert "server" in psutil.Process(before["pid"]).name()
        os.kill(before["pid"], signal.SIGKILL)
        await until(lambda: supervisor.describe()[0]["pid"] not in (None, before["pid"]))
        await ready(spec)


async def ready(spec):
    while not await spec.ready():  # noqa: ASYNC110  # another process has no event to wait on
        await asyncio.sleep(0.01)


async def test_an_answer_of_another_kind_is_none(tmp_path):
    path = tmp_path / "socket"

    async def refuse(_reader, writer):
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
        writer.close()

    async with await asyncio.start_unix_server(refuse, path):
        assert not await answers(path, b"GET /healthz HTTP/1.1\r\n\r\n", b"HTTP/1.1 200")
        assert await answers(path, b"GET /healthz HTTP/1.1\r\n\r\n", b"HTTP/1.1 503")
    assert not await answers(path, b"", b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("address", "is_ready"),
    [(None, False), ("", False), ("nonsense", False), ("http://127.0.0.1:{port}", True)],
)
async def test_the_simulator_is_ready_when_it_listens_where_it_says(tmp_path, address, is_ready):
    config = configured(tmp_path)
    [simulator] = [spec for spec in child_specs(config) if spec.name == "simulator"]
    directories.prepare(config)
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        if address is not None:
            config.simulator_address.write_text(address.format(port=port))
        assert await simulator.ready() is is_ready
