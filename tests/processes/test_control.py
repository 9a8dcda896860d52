import asyncio
import json
import stat

import pytest

from engine.processes.control import ControlError, ask, serving


@pytest.fixture
async def socket(tmp_path, supervised, spec, until):
    """A parent with two children that answers on this path."""
    path = tmp_path / "control.sock"
    path.write_text("left by a killed parent")
    async with supervised(spec("redis"), spec("engine")) as supervisor, serving(path, supervisor):
        await until(lambda: all(it["state"] == "running" for it in supervisor.describe()))
        yield path
    assert not path.exists()


async def asked(path, request):
    return await asyncio.to_thread(ask, path, request)


async def raw(path, line):
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line)
    writer.write_eof()
    reply = await reader.read()
    writer.close()
    return json.loads(reply)


async def test_processes_are_described_in_start_order(socket):
    redis, engine = await asked(socket, {"do": "processes"})
    assert (redis["name"], engine["name"]) == ("redis", "engine")
    assert set(engine) == {"name", "pid", "startedAt", "restarts", "state"}
    assert engine["startedAt"].endswith("Z")


async def test_only_the_daemons_user_may_ask(socket):
    assert stat.S_IMODE(socket.stat().st_mode) == 0o600


async def test_a_restart_replies_with_the_new_process(socket):
    before = (await asked(socket, {"do": "processes"}))[1]["pid"]
    after = await asked(socket, {"do": "restart", "name": "engine"})
    assert after["pid"] not in (None, before)


async def test_a_refused_restart_raises_the_parents_own_line(socket):
    with pytest.raises(ControlError, match="no process named 'x'"):
        await asked(socket, {"do": "restart", "name": "x"})


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"{\n", b"[]\n", b'{"do": "fly"}\n', b'{"do": "restart"}\n', b"\xff\n", b"x" * 9999],
)
async def test_nonsense_gets_a_line_back(socket, line):
    assert set(await raw(socket, line)) == {"error"}


async def test_nonsense_without_end_is_cut_off_and_the_parent_lives_on(socket):
    reader, writer = await asyncio.open_unix_connection(socket)
    writer.write(b"x" * 200_000)
    assert await reader.read() == b""
    writer.close()
    assert len(await asked(socket, {"do": "processes"})) == 2


def test_without_a_parent_the_socket_is_named(tmp_path):
    with pytest.raises(ConnectionError, match=r"no daemon answers at .*control\.sock"):
        ask(tmp_path / "control.sock", {"do": "processes"})
