"""What systemd is told: over a real datagram socket, with real children, an engine that says what we want."""

import asyncio
import os
import socket

import pytest

from engine.processes.engine_health import ask_engine
from engine.processes.notify import START_WITHIN_S, Answer, Notifier, ServiceManager
from engine.processes.supervisor import Verdict

FINE, STUCK = Answer(alive=True, status="tracking"), Answer(alive=False, status="the engine is stuck: x")


class Listener:
    """The service manager's end of the socket."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(address)

    def heard(self):
        """Return the lines that have come since."""
        lines = []
        while True:
            try:
                lines += self.socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return lines


@pytest.fixture(params=["path", "abstract"])
def manager_socket(request, tmp_path):
    """A listening socket, and its name as ``NOTIFY_SOCKET`` gives it."""
    name = f"rollcall-test-{os.getpid()}"
    addresses = {"path": [str(tmp_path / "notify")] * 2, "abstract": [f"\0{name}", f"@{name}"]}
    address, written = addresses[request.param]
    listener = Listener(address)
    yield listener, written
    listener.socket.close()


class Told:
    """Tells the service manager of a supervisor's children, and of an engine that is as ``answer`` says."""

    def __init__(self, supervisor, listener, environ):
        self.listener, self.now, self.answer = listener, 0.0, FINE
        self.manager = ServiceManager(Notifier(environ), supervisor, self.ask, lambda: self.now)

    async def ask(self):
        return self.answer


@pytest.fixture
def told(manager_socket):
    listener, name = manager_socket
    return lambda supervisor, **environ: Told(supervisor, listener, {"NOTIFY_SOCKET": name} | environ)


async def look(told):
    await told.manager.look()
    return told.listener.heard()


async def test_ready_is_told_once_and_only_when_every_child_works(supervised, spec, until, told):
    door = asyncio.Event()

    async def ready():
        return door.is_set()

    async with supervised(spec("engine", ready=ready), spec("ingest")) as supervisor:
        await until(lambda: supervisor.describe()[1]["state"] == "running")
        it = told(supervisor)
        assert await look(it) == ["STATUS=engine starting"]
        door.set()
        await until(lambda: supervisor.describe()[0]["state"] == "running")
        it.answer = STUCK
        assert await look(it) == ["STATUS=the engine is stuck: x"]
        it.answer = FINE
        assert await look(it) == ["READY=1", "STATUS=tracking"]
        assert await look(it) == []


async def test_the_watchdog_is_fed_only_while_the_engine_makes_progress(supervised, spec, until, told):
    async with supervised(spec("engine")) as supervisor:
        await until(lambda: supervisor.describe()[0]["state"] == "running")
        it = told(supervisor, WATCHDOG_USEC="60000000", WATCHDOG_PID=str(os.getpid()))
        assert "WATCHDOG=1" in await look(it)
        assert await look(it) == ["WATCHDOG=1"]
        it.answer = STUCK
        assert await look(it) == ["STATUS=the engine is stuck: x"]
        assert await look(it) == []
        it.answer = FINE
        assert await look(it) == ["STATUS=tracking", "WATCHDOG=1"]


async def test_an_engine_that_starts_has_some_minutes(supervised, spec, until, told):
    async def never():
        return False

    async with supervised(spec("engine", ready=never)) as supervisor:
        await until(lambda: supervisor.describe()[0]["state"] == "starting")
        it = told(supervisor, WATCHDOG_USEC="60000000")
        it.answer = Answer(alive=False, status="the engine does not answer")
        assert await look(it) == ["STATUS=engine starting", "WATCHDOG=1"]
        it.now = START_WITHIN_S
        assert await look(it) == []


@pytest.mark.parametrize(
    "environ", [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}]
)
async def test_a_watchdog_that_is_not_ours_is_not_fed(supervised, spec, until, told, environ):
    async with supervised(spec("engine")) as supervisor:
        await until(lambda: supervisor.describe()[0]["state"] == "running")
        assert "WATCHDOG=1" not in await look(told(supervisor, **environ))


async def test_the_end_is_told_while_the_children_are_still_there(supervised, spec, until, told):
    async with supervised(spec("engine")) as supervisor:
        await until(lambda: supervisor.describe()[0]["state"] == "running")
        it, pids = told(supervisor), []
        supervisor.when_over(it.manager.end)
        supervisor.when_over(lambda _: pids.append(supervisor.describe()[0]["pid"]))
        supervisor.end(Verdict(1, "engine ended\n6 times"))
    assert it.listener.heard() == ["STOPPING=1", "STATUS=engine ended 6 times"]
    assert pids != [None]


def test_children_inherit_none_of_it(manager_socket):
    environ = {"NOTIFY_SOCKET": manager_socket[1], "WATCHDOG_USEC": "1", "WATCHDOG_PID": "2", "HOME": "/"}
    Notifier(environ)
    assert environ == {"HOME": "/"}


@pytest.mark.parametrize("name", ["", "/no/such/socket", "@nobody-is-here", "vsock:2:1", "/" + "x" * 200])
def test_nobody_who_listens_is_no_reason_to_fail(name):
    Notifier({"NOTIFY_SOCKET": name}).send("READY=1")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([(200, '{"status": "ok"}'), (200, "{}")], FINE),
        (
            [(200, "{}"), (503, '{"reasons": ["a", "b"]}')],
            Answer(alive=True, status="not ready: a; b"),
        ),
        ([(503, '{"reasons": ["x"]}')], STUCK),
        ([(503, "[]")], Answer(alive=False, status="the engine is stuck: it does not say why")),
        ([(200, "no json")], Answer(alive=False, status="the engine does not answer")),
    ],
)
async def test_the_engine_is_asked_over_its_socket(tmp_path, answers, expected):
    left = list(answers)

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        status, body = left.pop(0)
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        await writer.drain()
        writer.write(body.encode())
        writer.close()

    async with await asyncio.start_unix_server(answer, tmp_path / "socket"):
        assert await ask_engine(tmp_path / "socket") == expected
    assert left == []


async def test_no_answer_is_told_as_such(tmp_path):
    nobody = Answer(alive=False, status="the engine does not answer")
    assert await ask_engine(tmp_path / "none") == nobody
