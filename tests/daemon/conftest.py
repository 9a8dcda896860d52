from typing import NamedTuple

import pytest

from tests.conftest import RunningServer
from tests.daemon.live_keys import keys_of
from tests.daemon.programme import Organizer, Programme
from tests.daemon.quiet_guild import QUIET, QuietGuild
from tests.daemon.replay import Recording, recording_of
from tests.daemon.running import Daemon, Installation, Simulator, until
from tests.daemon.truth import LATE_MS, MIN_MS

TOKEN_OF_SIMULATOR = "simulator"
MEMBERS = 20


@pytest.fixture
def make_daemon():
    """Make daemons with tables of the configuration; nothing of them outlives the test."""
    made = []

    def make(environ=None, **tables):
        made.append(Daemon(tables, environ))
        return made[-1]

    yield make
    for daemon in made:
        daemon.end()


@pytest.fixture
def make_simulator(tmp_path):
    """Make a simulator that outlives the daemon; one a test."""
    made = []

    def make(**habits):
        made.append(Simulator(tmp_path, **habits))
        return made[-1]

    yield make
    for simulator in made:
        simulator.end()


@pytest.fixture
def tracking(make_daemon):
    """Make a daemon that tracks a simulator as if it were Discord."""

    def make(simulator, environ=None, **tables):
        discord = {"api_base_url": simulator.url, "gateway": "discord"} | tables.pop("discord", {})
        secrets = {"DISCORD_TOKEN": TOKEN_OF_SIMULATOR} | (environ or {})
        return make_daemon(secrets, discord=discord, **tables)

    return make


@pytest.fixture
def installation():
    """Make folders with a configuration; they are removed after the test."""
    made = []

    def make(environ=None, **tables):
        made.append(Installation(tables, environ))
        return made[-1]

    yield make
    for it in made:
        it.remove()


@pytest.fixture
def programs():
    """Take processes that end with the test."""
    made = []

    def take(program):
        made.append(program)
        return program

    yield take
    for program in made:
        program.end()


@pytest.fixture
def recorded(make_server):
    """Copy a stopped daemon's journal to a server of the test's."""
    return lambda daemon: recording_of(daemon, make_server())


class Evening(NamedTuple):
    """What is left of a daemon that tracked a lively community and was stopped.

    ``events``: those of its scheduled events that were over by then, each with its ``participants``.
    """

    recording: Recording
    truth: dict
    exit_code: int
    events: list[dict]


@pytest.fixture(scope="session")
def evening():
    """The one evening that several tests look back on."""
    daemon, server = Daemon({"simulator": {"speed": 25.0, "members": 80, "seed": 5}}), RunningServer()
    try:
        daemon.run()
        until(lambda: len(completed(daemon.truth())) >= 80, "a lively evening", every_s=0.3)
        organizer = Organizer(daemon)
        until(lambda: [it for it in organizer.events(status="ended") if it["settled"]], "an event's result")
        events = [
            it | {"participants": organizer.participants(it["eventId"])}
            for it in organizer.events(status="ended")
        ]
        truth = daemon.truth()
        exit_code = daemon.program.stop()
        yield Evening(recording_of(daemon, server), truth, exit_code, events)
    finally:
        server.remove()
        daemon.end()


def completed(truth):
    """Return the stays of people that are over and long enough for a session."""
    return [
        it
        for it in truth["presences"]
        if not it["bot"] and it["left_at"] and it["left_at"] - it["joined_at"] >= MIN_MS + LATE_MS
    ]


class Held(NamedTuple):
    """What is left of a daemon that followed a programme of events and was stopped.

    ``events``: as HTTP told of them in the end, each with its ``participants`` and ``badges``. ``keys``: the
    live state's, at some moments of the evening.
    """

    recording: Recording
    truth: dict
    guild: QuietGuild
    programme: Programme
    events: dict[str, dict]
    keys: dict[str, dict]
    metrics: dict[str, float]
    badges: str
    exit_code: int


@pytest.fixture(scope="session")
def held(tmp_path_factory):
    """The one programme of events that several tests look back on."""
    simulator = Simulator(tmp_path_factory.mktemp("simulator"), **QUIET, members=MEMBERS)
    discord = {"api_base_url": simulator.url, "gateway": "discord", "members_intent": True}
    daemon = Daemon({"discord": discord, "events": {"badges": "csv"}}, {"DISCORD_TOKEN": TOKEN_OF_SIMULATOR})
    server = RunningServer()
    try:
        daemon.run()
        programme, keys = Programme(daemon, QuietGuild(simulator)), {}
        for part in (
            programme.announce,
            programme.begin,
            programme.go_on,
            programme.end,
            programme.look_back,
        ):
            part()
            keys[part.__name__] = keys_of(daemon.config.redis_url)
        yield look_back(daemon, simulator, programme, keys, server)
    finally:
        server.remove()
        daemon.end()
        simulator.end()


def look_back(daemon, simulator, programme, keys, server):
    """Ask for all there is to know of an evening, and stop the daemon."""
    events, truth = programme.results(), simulator.truth()
    metrics, badges = daemon.metrics(), daemon.config.badge_file.read_text()
    exit_code = daemon.program.stop()
    recording = recording_of(daemon, server)
    return Held(recording, truth, programme.guild, programme, events, keys, metrics, badges, exit_code)
