import asyncio
import contextlib
import sys
import textwrap

import pytest

from engine.processes.budget import RestartBudget
from engine.processes.child import ChildSpec
from engine.processes.lifeline import Lifeline
from engine.processes.supervisor import Supervisor, Verdict
from tests.waiting import until_async

# Says "up" and "down" in a file, so that tests see the order of things.
CHILD = """
import os, signal, sys, time
name, log, stubborn = sys.argv[1], sys.argv[2], sys.argv[3:] == ["stubborn"]
def say(word):
    with open(log, "a") as file: file.write(f"{name} {word}\\n")
def down(*_):
    say("asked")
    if not stubborn: say("down"); os._exit(0)
signal.signal(signal.SIGTERM, down)
say("up")
while True: time.sleep(60)
"""


@pytest.fixture
def log(tmp_path):
    """The file in which the children say what happens to them."""
    path = tmp_path / "log"
    path.touch()
    return path


@pytest.fixture
def spec(log):
    """Make the spec of a child that stays until it is told to go."""

    def make(name, *words, **settings):
        async def ready():
            return f"{name} up" in log.read_text().splitlines()

        command = [sys.executable, "-S", "-c", CHILD, name, str(log), *words]
        return ChildSpec(name, lambda: command, **({"ready": ready} | settings))

    return make


@pytest.fixture
def failing():
    """Make the spec of a child that runs one line of Python and ends."""

    def make(name, code):
        return ChildSpec(name, lambda: [sys.executable, "-S", "-c", textwrap.dedent(code)])

    return make


@pytest.fixture
def supervised():
    """Run a supervisor around a block; it ends with the block."""

    @contextlib.asynccontextmanager
    async def run(*specs, new_budget=lambda: RestartBudget(first_delay_s=0.001)):
        with Lifeline() as lifeline:
            supervisor = Supervisor(specs, lifeline, new_budget)
            running = asyncio.create_task(supervisor.run())
            supervisor.verdict = running
            try:
                yield supervisor
            finally:
                if not running.done():
                    supervisor.end(Verdict(0))
                await running

    return run


@pytest.fixture
def until():
    """``await until(condition)``: wait until it holds."""
    return until_async
