"""The real daemon under a service manager, which is a datagram socket of the test's."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.daemon.running import DEADLINE_S, ROLLCALL, until

UNIT = Path(__file__).parents[2] / "deploy" / "rollcall.service"


class Manager:
    """``status``: what was told last."""

    def __init__(self, listener):
        self.listener, self.status = listener, ""
        self.address = listener.getsockname()

    def hear(self, timeout_s=DEADLINE_S):
        """Return the lines of the next message."""
        self.listener.settimeout(timeout_s)
        lines = self.listener.recv(4096).decode().split("\n")
        self.status = next((it[7:] for it in lines if it.startswith("STATUS=")), self.status)
        return lines

    def hear_of(self, line):
        """Return the lines of the next message with this one."""
        return until(lambda: line in (lines := self.hear()) and lines, line, every_s=0)

    def status_is(self, status):
        until(lambda: self.status == status or (self.hear() and self.status == status), status, every_s=0)


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        yield Manager(listener)


@pytest.mark.crash
def test_it_says_when_it_works_feeds_the_watchdog_while_it_does_and_says_that_it_stops(make_daemon, manager):
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "400000"}
    daemon = make_daemon(environ, simulator={"speed": 0.1})
    daemon.program = daemon.start("run")
    assert "WATCHDOG=1" in manager.hear_of("READY=1")
    assert {it["state"] for it in daemon.children().values()} == {"running"}
    manager.status_is("tracking")
    manager.hear_of("WATCHDOG=1")

    os.kill(daemon.pid("engine"), signal.SIGSTOP)
    assert "WATCHDOG=1" not in manager.hear_of("STATUS=the engine does not answer")
    assert_silence(manager)
    os.kill(daemon.pid("engine"), signal.SIGCONT)  # itself, or its successor if its parent has lost patience
    manager.status_is("tracking")
    manager.hear_of("WATCHDOG=1")

    os.kill(daemon.program.pid, signal.SIGTERM)
    assert manager.hear_of("STOPPING=1") == ["STOPPING=1", "STATUS=stopping"]
    assert daemon.program.wait() == 0


def assert_silence(manager):
    """See that no ping comes for ten of its periods, unless something else is to be told."""
    with contextlib.suppress(TimeoutError):
        assert "STATUS=" in "".join(manager.hear(4.0))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/rollcall/.venv/bin/rollcall", ROLLCALL))
    assert ROLLCALL in unit.read_text()
    found = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
