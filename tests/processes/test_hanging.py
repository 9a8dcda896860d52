"""A process that neither ends nor works is noticed and replaced; one that was stopped for a moment is not."""

import os
import signal
import sys
from dataclasses import replace

import psutil
import pytest

from engine import directories
from engine.config import load
from engine.processes import child as module
from engine.processes.child import ChildSpec
from engine.processes.heartbeat import Heartbeat
from engine.processes.specs import child_specs

BEATING = """
import os, time
while True:
    os.write(int(os.environ["ROLLCALL_HEARTBEAT_FD"]), b".")
    time.sleep(0.01)
"""
SILENT = "import time\nwhile True: time.sleep(60)"


@pytest.fixture(autouse=True)
def looks(monkeypatch):
    """Have the parent look often; the list holds what it heard at each look."""
    heard = []
    listen = Heartbeat.heard

    def noted(heartbeat):
        heard.append(listen(heartbeat))
        return heard[-1]

    monkeypatch.setattr(module, "_LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(Heartbeat, "heard", noted)
    return heard


def spec(code, **settings):
    return ChildSpec("child", lambda: [sys.executable, "-S", "-c", code], **settings)


def pid(supervisor):
    return supervisor.describe()[0]["pid"]


async def test_a_process_that_hangs_is_killed_and_replaced(supervised, until, looks):
    async with supervised(spec(BEATING, silent_s=0.3)) as supervisor:
        await until(lambda: any(looks))
        before = pid(supervisor)
        os.kill(before, signal.SIGSTOP)
        await until(lambda: pid(supervisor) not in (None, before))
        assert not psutil.pid_exists(before)
        assert supervisor.describe()[0]["restarts"] == 1
        looks.clear()
        await until(lambda: any(looks))


async def test_a_process_that_was_stopped_for_a_moment_goes_on(supervised, until, looks):
    async with supervised(spec(BEATING, silent_s=600)) as supervisor:
        await until(lambda: any(looks))
        before = pid(supervisor)
        os.kill(before, signal.SIGSTOP)
        await until(lambda: looks[-5:] == [False] * 5)
        os.kill(before, signal.SIGCONT)
        await until(lambda: looks[-1])
        assert pid(supervisor) == before


async def test_a_process_has_time_until_its_first_sign_of_life(supervised, until, looks):
    """It may be loading a large journal."""
    async with supervised(spec(SILENT, silent_s=0.01)) as supervisor:
        await until(lambda: pid(supervisor) is not None)
        before = pid(supervisor)
        await until(lambda: len(looks) > 20)
        assert pid(supervisor) == before


async def test_a_parent_that_was_stopped_itself_blames_nobody(supervised, until, looks, monkeypatch):
    """A look adds to a silence what it may, however long the parent slept."""
    monkeypatch.setattr(module, "_LOOK_AT_MOST_S", 0.0)
    async with supervised(spec(BEATING, silent_s=0.01)) as supervisor:
        await until(lambda: any(looks))
        before = pid(supervisor)
        os.kill(before, signal.SIGSTOP)
        await until(lambda: looks[-20:] == [False] * 20)
        assert pid(supervisor) == before
        os.kill(before, signal.SIGCONT)


async def test_the_embedded_server_is_replaced_when_it_does_not_answer(
    tmp_path, supervised, until, monkeypatch
):
    monkeypatch.setattr("engine.processes.specs._ANSWER_WITHIN_S", 0.5)
    (tmp_path / "config.toml").touch()
    config = load(tmp_path / "config.toml", {})
    directories.prepare(config)
    server = replace(child_specs(config)[0], silent_s=1.0)
    async with supervised(server) as supervisor:
        await until(lambda: supervisor.describe()[0]["state"] == "running")
        before = pid(supervisor)
        assert await server.alive()
        os.kill(before, signal.SIGSTOP)
        await until(lambda: pid(supervisor) not in (None, before))
        await until(lambda: supervisor.describe()[0]["state"] == "running")


def test_whoever_works_for_the_daemon_is_watched(tmp_path):
    (tmp_path / "config.toml").touch()
    watched = {it.name: it.silent_s for it in child_specs(load(tmp_path / "config.toml", {}))}
    assert watched == {"redis": 20.0, "simulator": float("inf"), "engine": 20.0, "ingest": 90.0}
