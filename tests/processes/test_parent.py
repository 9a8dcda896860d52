"""The parent lives as long as the daemon and does little: it is to be small."""

import subprocess
import sys

HEAVY = {"aiohttp", "discord", "fastapi", "peewee", "prometheus_client", "pykka", "redis", "uvicorn"}


def test_it_loads_nothing_that_only_its_children_need():
    imports = "import engine.cli.app, engine.log, engine.processes.parent, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", imports], capture_output=True, text=True, timeout=30, check=True
    )
    loaded = set(done.stdout.split())
    assert "engine.processes.supervisor" in loaded
    assert not loaded & HEAVY
