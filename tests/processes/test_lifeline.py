"""What becomes of the children of a parent that is killed without a word."""

import asyncio
import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest

from engine.processes.lifeline import Lifeline, watch_parent
from tests.waiting import until

# A parent of one Python child and one that is not; it names their pids and waits for its end.
PARENT = """
import asyncio, signal, sys
from pathlib import Path
from engine.processes.child import ChildSpec
from engine.processes.engine_health import ask_engine
from engine.processes.parent import supervise
from engine import log

for number in (signal.SIGHUP, signal.SIGINT):  # whoever runs the tests may have them ignored
    signal.signal(number, signal.SIG_DFL)
log.configure("parent")
watcher = "import time; from engine.processes import lifeline; lifeline.watch_parent()"
watcher += "; print('up', flush=True); time.sleep(600)"
sleeper = "from engine.processes.lifeline import become; become(['/bin/sleep', '600'])"
specs = [
    ChildSpec("python", lambda: [sys.executable, "-c", watcher]),
    ChildSpec("other", lambda: [sys.executable, "-c", sleeper]),
]
verdict = asyncio.run(supervise(Path(sys.argv[1]), specs, lambda: ask_engine(Path("none"))))
print(verdict.exit_code, flush=True)
"""


@pytest.fixture
def parent(tmp_path):
    """A running parent whose two children are up."""
    command = [sys.executable, "-c", PARENT, str(tmp_path / "control.sock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout.readline() == "up\n"
            until(lambda: "sleep" in {child.name() for child in children_of(process)})
            yield process
        finally:
            process.kill()


def children_of(process):
    return psutil.Process(process.pid).children()


def test_no_child_outlives_a_killed_parent(parent):
    children = children_of(parent)
    assert len(children) == 2
    parent.kill()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_all_in_order_and_the_parent_with_zero(parent, number):
    children = children_of(parent)
    parent.send_signal(number)
    assert parent.stdout.read() == "0\n"
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


def test_a_process_without_a_parent_of_ours_watches_nothing(monkeypatch):
    monkeypatch.delenv("ROLLCALL_LIFELINE_FD", raising=False)
    watch_parent()
    assert "lifeline" not in [it.name for it in threading.enumerate()]


async def test_the_pipe_alone_ends_a_python_child():
    """As it must where the kernel does not do it."""
    code = """
import time
from engine.processes import lifeline
lifeline._end_with_parent = lambda: None
lifeline.watch_parent()
time.sleep(600)
"""
    with Lifeline() as line:
        command = [sys.executable, "-c", code]
        environment = os.environ | line.environment
        child = await asyncio.create_subprocess_exec(*command, pass_fds=[line.child_fd], env=environment)
    assert await child.wait() == -signal.SIGKILL
