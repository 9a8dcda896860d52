import pytest
from structlog.testing import capture_logs

from engine.actors import partition
from engine.domain.tracking import PlayerState
from engine.trackers import (
    PlayerRegistry,
    TrackerContext,
    TrackerRuntime,
    TrackerSpecs,
    VoiceView,
    load,
    runtime,
    worker,
)
from engine.trackers.loading import Loaded, LoadedTracker
from engine.trackers.restarts import Restarts
from tests.trackers.house import House
from tests.trackers.stage import GUILD, Stage
from tests.waiting import until


@pytest.fixture
def stage():
    return Stage()


@pytest.fixture
def context(stage):
    return TrackerContext("own", stage, stage, stage.now)


@pytest.fixture
def voice(stage):
    return VoiceView(stage)


@pytest.fixture
def players(stage):
    return PlayerRegistry(stage, stage, stage.now)


@pytest.fixture(name="until")
def _until():
    """Wait for something to become true, and return it."""
    return until


@pytest.fixture(autouse=True)
def _watchful(monkeypatch):
    monkeypatch.setattr(runtime, "WATCH_EVERY_S", 0.01)


@pytest.fixture
def runtime_of(stage):
    """Make runtimes, not yet started, of what was loaded; each is stopped in the end."""
    made = []

    def make(loaded):
        made.append(TrackerRuntime(loaded, stage, stage, stage.now))
        return made[-1]

    yield make
    for it in made:
        it.stop()


@pytest.fixture
def run(stage, runtime_of):
    """Run trackers, given as objects, or as specs."""

    def run(*trackers, specs=None, **more):
        loaded = Loaded(TrackerSpecs(**more), stage.now) if specs is None else load(specs, stage.now)
        for it in trackers:
            label = it.options.label or type(it).__name__
            loaded.trackers.append(LoadedTracker(label, type(it).__name__, it.options, it))
        it = runtime_of(loaded)
        it.start()
        return it

    return run


@pytest.fixture
def tell(stage, runtime_of):
    """Start a runtime with these listeners, and return it."""

    def tell(*listeners, start=True):
        loaded = Loaded(TrackerSpecs(), stage.now)
        loaded.listeners.update({f"listener-{number}": it for number, it in enumerate(listeners)})
        it = runtime_of(loaded)
        if start:
            it.start()
        return it

    return tell


@pytest.fixture
def then(stage, until):
    """Wait until the last mark of a subject is this, and the ``count``-th where that is said."""

    def then(inactive, timeout_ms=None, count=None, subject_id=GUILD):
        def is_so():
            marks = [it for it in stage.marks if it[1] == subject_id]
            return marks and marks[-1][2:] == (inactive, timeout_ms) and (count in (None, len(marks)))

        until(is_so)

    return then


@pytest.fixture
def settled(stage, until):
    """Wait until all that was changed has been looked at: another guild's change is looked at after it."""
    numbers = iter(range(1_000_000, 2_000_000))

    def settled():
        guild_id = next(numbers)
        stage.play(guild_id, state=PlayerState.IDLE)
        until(lambda: guild_id in [it[1] for it in stage.marks])

    return settled


@pytest.fixture
def looked_at(stage, until, monkeypatch):
    """Wait until a player that comes last has been looked at, and so all that came before it."""
    looked = []
    get = PlayerRegistry.get

    def noted(self, guild_id):
        player = get(self, guild_id)
        looked.append(guild_id)
        return player

    monkeypatch.setattr(PlayerRegistry, "get", noted)
    numbers = iter(range(2_000_000, 3_000_000))

    def looked_at():
        guild_id = next(numbers)
        stage.play(guild_id)
        until(lambda: guild_id in looked)

    return looked_at


@pytest.fixture
def house(monkeypatch):
    """Make engines with trackers; see ``House``."""
    monkeypatch.setattr(partition, "BLOCK_MS", 5)
    made = []

    def make(*args, **more):
        made.append(House(*args, **more))
        return made[-1]

    yield make
    for it in made:
        it.close()


@pytest.fixture
def hurried(monkeypatch):
    """Let what fails come back at once, as often as ever."""
    monkeypatch.setattr(worker, "Restarts", lambda: Restarts(first_delay_s=0.001))


@pytest.fixture(autouse=True)
def _quiet():
    """Leave out the long tracebacks of what fails on purpose."""
    with capture_logs():
        yield
