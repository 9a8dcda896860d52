import time

import pytest
from structlog.testing import capture_logs

from engine.trackers import TrackerContext, TrackerRuntime, TrackerSpecs, load, runtime, worker
from engine.trackers.loading import Loaded, LoadedTracker
from engine.trackers.restarts import Restarts
from tests.trackers.stage import Stage

PATIENCE_S = 20


@pytest.fixture
def stage():
    return Stage()


@pytest.fixture
def context(stage):
    return TrackerContext("own", stage, stage, stage.now)


@pytest.fixture
def until():
    """Wait for something to become true, and return it."""

    def until(condition):
        give_up_at = time.monotonic() + PATIENCE_S
        while not (result := condition()):
            assert time.monotonic() < give_up_at, "it never happened"
            time.sleep(0.002)
        return result

    return until


@pytest.fixture(autouse=True)
def _watchful(monkeypatch):
    monkeypatch.setattr(runtime, "WATCH_EVERY_S", 0.01)


@pytest.fixture
def run(stage):
    """Run trackers, given as objects, or as specs; each is stopped in the end."""
    running = []

    def run(*trackers, specs=None, **more):
        if specs is not None:
            loaded = load(specs, stage.now)
        else:
            loaded = Loaded(TrackerSpecs(**more), stage.now)
            for it in trackers:
                label = it.options.label or type(it).__name__
                loaded.trackers.append(LoadedTracker(label, type(it).__name__, it.options, it))
        it = TrackerRuntime(loaded, stage, stage, stage.now)
        running.append(it)
        it.start()
        return it

    yield run
    for it in running:
        it.stop()


@pytest.fixture
def hurried(monkeypatch):
    """Let what fails come back at once, as often as ever."""
    monkeypatch.setattr(worker, "Restarts", lambda: Restarts(first_delay_s=0.001))


@pytest.fixture(autouse=True)
def _quiet():
    """Leave out the long tracebacks of what fails on purpose."""
    with capture_logs():
        yield
