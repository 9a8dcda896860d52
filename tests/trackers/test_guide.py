"""docs/trackers.md and examples/: each snippet is run as the daemon would run it, and does what it should."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from engine.domain.tracker_effects import TellListeners, TransitionKind
from engine.domain.tracker_inputs import ExpiryDecided
from engine.domain.tracking import Decision, SubjectKind, SubjectState
from engine.settings import Settings
from engine.trackers import ClassSpec, TrackerSpecs, check, pace, restarts, scope, status
from engine.trackers import deliverer as delivering
from engine.trackers.listeners import METHODS
from tests.trackers.stage import CHANNEL, DEAF, EVENT, GUILD, OTHER_CHANNEL, T

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "trackers.md").read_text()
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def snippets(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Put all snippets into one module, as a reader would; return how its classes are named."""
    (tmp_path / "my_trackers.py").write_text("\n\n".join(snippets("python")))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_trackers", raising=False)

    def own(*names, listeners=(), **options):
        return TrackerSpecs(
            custom=tuple(ClassSpec(f"my_trackers:{name}", options) for name in names),
            listeners=tuple(ClassSpec(f"my_trackers:{name}") for name in listeners),
            use_default_trackers=False,
            default_poll_interval_s=0.01,
        )

    return own


@pytest.fixture
def evening(stage):
    """One player with a listener, one whose only listener is deafened, one with a bot, one alone."""
    for guild_id in (1, 2, 3, 4):
        stage.play(guild_id)
    stage.join(50, guild_id=1)
    stage.join(51, guild_id=2, flags=DEAF)
    stage.bot_joins(60, guild_id=3)
    stage.join(52, guild_id=4, channel_id=OTHER_CHANNEL)
    stage.join(53, guild_id=5)
    return stage


def held(stage):
    """The guilds whose player somebody holds inactive."""
    return {it.guild_id for it in stage.players() if it.subject.marks}


def deafened_is_noticed(stage, until):
    """Say that it follows who listens."""
    until(lambda: held(stage) == {2, 3, 4})
    stage.join(50, guild_id=1, flags=DEAF)
    stage.join(51, guild_id=2)
    until(lambda: held(stage) == {1, 3, 4})
    assert {it.tracker for it in stage.commits} <= {"anyone listening", "anyone listening now"}
    stage.unplay(3)
    stage.leave(51, guild_id=2)
    until(lambda: held(stage) == {1, 2, 4})


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_tells_whether_anyone_is_listening(evening, run, until, path):
    specs = TrackerSpecs(
        custom=(ClassSpec(f"{path.stem}:AnyoneListening"),),
        use_default_trackers=False,
        default_poll_interval_s=0.01,
        folder=path.parent,
    )
    run(specs=specs)
    deafened_is_noticed(evening, until)


def test_there_are_two_examples_of_a_dozen_lines_or_so():
    assert [it.stem for it in EXAMPLES] == ["anyone_listening_polling", "anyone_listening_realtime"]
    for path in EXAMPLES:
        code = path.read_text().split("class ")[1]
        assert len([line for line in code.splitlines() if line.strip()]) <= 18


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_guide_shows_the_examples_as_they_are(path):
    body = path.read_text().partition("class AnyoneListening(Tracker):\n")[2]
    shown = GUIDE.replace('label="anyone listening now"', 'label="anyone listening"')
    assert body in shown


@pytest.mark.parametrize("name", ["AnyoneListening", "AnyoneListeningNow"])
def test_the_guides_first_trackers_tell_whether_anyone_is_listening(own, evening, run, until, name):
    run(specs=own(name))
    deafened_is_noticed(evening, until)


def test_the_guides_subscriber_says_what_has_changed(own, evening, run, until):
    it = run(specs=own("EmptyChannels"))
    until(lambda: held(evening) == {4})
    assert evening.marks == [("EmptyChannels", 4, True, 120_000)]
    evening.leave(50, guild_id=1)
    until(lambda: held(evening) == {1, 4})
    evening.join(52, guild_id=4)
    until(lambda: held(evening) == {1})
    it.stop()
    assert len(evening.marks) == 3
    assert evening.subscribers == 0


def test_the_guides_service_is_registered_and_its_option_given(own, evening, run, until):
    specs = own("Night", timeout_s=60)
    run(specs=specs)
    night = sys.modules["my_trackers"]
    until(lambda: len(evening.commits) == 1)
    assert {it[1] for it in evening.marks} == {1, 2, 3, 4}
    quiet = night.QuietHours(0, 6).now()
    assert {it[2:] for it in evening.marks} == {(True, 60_000) if quiet else (False, None)}
    assert not night.QuietHours(0, 0).now()
    assert night.QuietHours(0, 24).now()


def test_the_guides_events_with_too_few_are_given_up(own, stage, run, until):
    stage.hold()
    for user_id in (1, 2):
        stage.join(user_id)
    run(specs=own("TooFew"))
    until(lambda: stage.mark(SubjectKind.EVENT, GUILD, EVENT, "too few"))
    assert stage.marks[0] == ("too few", EVENT, True, 900_000)
    stage.join(3, flags=DEAF)
    stage.join(4, channel_id=CHANNEL)
    until(lambda: not stage.mark(SubjectKind.EVENT, GUILD, EVENT, "too few"))


def test_the_guides_listener_warns_once_and_spares_events(own, stage, run, until):
    it = run(specs=own(listeners=["Goodbye"]))

    def tell(what, kind=SubjectKind.PLAYER):
        it.deliver(TellListeners(GUILD, kind, GUILD, what, T, SubjectState.EXPIRING, deadline=T))

    for _ in range(2):
        tell(TransitionKind.EXPIRING)
    tell(TransitionKind.EXPIRING, SubjectKind.EVENT)
    tell(TransitionKind.INACTIVE)
    until(lambda: len(stage.told(ExpiryDecided)) == 3)
    until(lambda: it.deliveries.told == 4)
    decided = sorted((it.kind, it.decision, it.postpone_ms) for it in stage.told(ExpiryDecided))
    assert decided == [(0, Decision.EXPIRE, 0), (0, Decision.POSTPONE, 60_000), (1, Decision.IGNORE, 0)]
    assert it._loaded.listeners["Goodbye"].left == [GUILD]


def test_every_class_of_the_guide_can_be_loaded(own):
    names = re.findall(r"^class (\w+)\(Tracker\)", GUIDE, re.MULTILINE)
    assert len(names) == 5
    assert check(own(*names, listeners=["Goodbye"])) == []


@pytest.mark.parametrize("snippet", snippets("toml"))
def test_each_piece_of_configuration_is_one(snippet):
    Settings.model_validate(tomllib.loads(snippet))


def test_the_numbers_of_the_guide_are_those_of_the_code():
    for number in (
        f"{scope.MARKS_MAX:,} subjects at most",
        f"up to {delivering.THREADS} threads",
        f"may take {delivering.ASYNC_LIMIT_S:.0f}\n  seconds",
        f"up to {delivering.WAITING_MAX:,} snapshots wait, in all up to {delivering.WAITING_MAX_IN_ALL:,}",
        f"more than {restarts.Restarts().times} times in {restarts.Restarts().period_s:.0f} seconds",
        f"a polling run of more than {TrackerSpecs().run_limit_s:.0f} seconds",
        f"more than {TrackerSpecs().scopes_per_s:.0f} scopes a second",
        f"a burst of {pace.BURST_S:.0f} seconds",
        f"once for each {pace.MARKS_OF_ONE:,} marks",
    ):
        assert number in GUIDE


def test_the_limits_are_those_of_the_configuration():
    ours, configured = TrackerSpecs(), Settings().trackers
    assert (ours.run_limit_s, ours.scopes_per_s) == (configured.run_limit_s, configured.scopes_per_s)


def test_every_method_of_a_listener_is_in_the_guide():
    for method in METHODS.values():
        assert f"`{method}`" in GUIDE


def test_every_state_that_a_tracker_is_dropped_in_is_in_the_guide():
    assert {"dead", "blocked"} <= set(status.TrackerState)
    assert "stays dead" in GUIDE
    assert "shown as blocked" in GUIDE
