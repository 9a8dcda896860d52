"""Trackers and listeners as the configuration names them; what cannot be loaded is told and stops nobody."""

import math
import sys

import pytest

from engine.domain.tracking import SubjectKind
from engine.trackers import (
    ClassSpec,
    EventRegistry,
    Mode,
    PlayerRegistry,
    Tracker,
    TrackerOptions,
    TrackerSpecs,
    VoiceView,
    check,
    load,
)
from tests.trackers.own import music
from tests.trackers.stage import T

MUSIC = "tests.trackers.own.music"


def loaded(*names, **more):
    custom = tuple(ClassSpec(f"{MUSIC}:{name}") for name in names)
    return load(TrackerSpecs(custom=custom, **more), lambda: T)


def one(name, **options):
    """Load one tracker, and return it."""
    found = load(TrackerSpecs(custom=(ClassSpec(f"{MUSIC}:{name}", options),)), lambda: T)
    assert not found.problems
    return found.trackers[-1].tracker


def problem(name, **more):
    spec = ClassSpec(name if ":" in name else f"{MUSIC}:{name}", **more)
    (line,) = check(TrackerSpecs(custom=(spec,)))
    assert "\n" not in line
    return line


def test_the_defaults_run_where_there_are_no_own_ones():
    assert load(TrackerSpecs(), lambda: T).labels == ("users", "idle", "abandoned")
    assert loaded("Named").labels == ("abandoned", "named")
    assert loaded("Named", use_default_trackers=True).labels == ("users", "idle", "abandoned", "named")
    assert loaded("Named", use_default_trackers=False).labels == ("named",)
    assert loaded(use_default_trackers=False).labels == ()
    assert loaded(abandoned=None).labels == ("users", "idle")


def test_what_reports_on_what_is_known():
    found = loaded("Named", use_default_trackers=True)
    assert found.labels_for(SubjectKind.PLAYER) == ("users", "idle", "named")
    assert found.labels_for(SubjectKind.EVENT) == ("abandoned", "named")


def test_a_tracker_has_the_label_of_its_spec_else_its_own_else_its_class():
    specs = TrackerSpecs(
        custom=(
            ClassSpec(f"{MUSIC}:Named", label="spec"),
            ClassSpec(f"{MUSIC}:Named"),
            ClassSpec(f"{MUSIC}:Still"),
        ),
        abandoned=None,
    )
    assert load(specs, lambda: T).labels == ("spec", "named", "Still")


def test_a_nested_class_can_be_named():
    assert isinstance(one("Outer.Inner"), music.Outer.Inner)


def test_constructor_arguments_are_given_by_their_types():
    voice, players, events, limit = one("Injected").given
    assert (type(voice), type(players), type(events), limit) == (VoiceView, PlayerRegistry, EventRegistry, 3)
    assert one("Injected", limit=5).given[-1] == 5


def test_own_services_are_made_once_with_all_that_they_need():
    it = one("WithServices", size=2)
    assert it.shelf.library is it.library
    assert isinstance(it.shelf.voice, VoiceView)
    assert it.size == 2


def test_services_are_shared_between_trackers():
    specs = TrackerSpecs(
        custom=tuple(ClassSpec(f"{MUSIC}:WithServices", {"size": it}, str(it)) for it in (1, 2)),
        abandoned=None,
    )
    first, second = (it.tracker for it in load(specs, lambda: T).trackers)
    assert first.library is second.library
    assert first is not second


def test_a_module_registers_what_nobody_else_can_make():
    assert one("WithRadio").radio.url == "https://radio.example"


def test_a_constructor_may_take_whatever_options_it_is_given():
    assert one("TakesAll", a=1, b="c").given == {"a": 1, "b": "c"}


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("WithoutNumber", "options: WithoutNumber: its parameter limit (int) is neither given as an option"),
        ("WithoutType", "options: WithoutType: its parameter whatever has no type, and no option gives it"),
        (
            "WithoutQueue",
            "options: WithoutQueue: its parameter queue (Queue) cannot be made: TypeError: Pro",
        ),
        ("WithNeedy", "options: Needy: its parameter number (int) is neither given as an option nor reg"),
        ("WithHen", "options: Egg: its parameter hen (Hen) needs itself"),
        ("Misspelt", "options: Misspelt: its constructor cannot be read: name 'VoiceVeiw' is not defined"),
        ("Breaks", "options: Breaks cannot be made: RuntimeError: no key for the radio"),
        ("Exits", "options: Exits cannot be made: SystemExit: 3"),
        (
            "LooksTooSoon",
            "options: LooksTooSoon cannot be made: NotRunningError: the engine does not run ye",
        ),
        ("HasNoRun", "options: HasNoRun cannot be made: TypeError: Can't instantiate abstract class"),
        ("BreaksInOptions", "class: RuntimeError: no options today"),
        ("WrongOptions", "class: its options must be TrackerOptions.polling() or .realtime(), not {'poll"),
        ("WrongKinds", "class: its reports_on must be PLAYERS, EVENTS or both, not frozenset({'players'})"),
        ("NoTracker", f"class: {MUSIC}:NoTracker is no Tracker: derive it from engine.trackers.Tracker"),
        ("function", f"class: {MUSIC}:function is no class"),
        ("Nobody", f"class: {MUSIC} has no class Nobody"),
        ("nowhere.at_all:Mine", "class: there is no module 'nowhere.at_all'"),
        ("tests.trackers.own.nowhere:Mine", "class: there is no module 'tests.trackers.own.nowhere'"),
        ("just_a_name:", "class: must be 'module:Class' (got 'just_a_name:')"),
        (":Mine", "class: must be 'module:Class' (got ':Mine')"),
        (
            "tests.trackers.own.broken:Mine",
            "class: tests.trackers.own.broken cannot be imported: ValueError: half done",
        ),
        (
            "tests.trackers.own.incomplete:Mine",
            "class: tests.trackers.own.incomplete cannot be imported: ModuleNotFoundError: No module named ",
        ),
        (
            "tests.trackers.own.unregistered:Mine",
            "class: register() of tests.trackers.own.unregistered failed: RuntimeError: the container is",
        ),
    ],
)
def test_what_cannot_be_loaded_is_told_in_one_line_that_names_the_key(name, line):
    assert problem(name).startswith(f"trackers.custom.0.{line}")


def test_an_option_that_there_is_not_is_told():
    assert problem("Injected", options={"limits": 3}) == (
        "trackers.custom.0.options: Injected has no option 'limits': it takes voice, players, events, limit"
    )


@pytest.mark.parametrize("label", ["", " ", "a\nb", "x" * 101])
def test_a_label_that_cannot_be_shown_is_told(label):
    if label:
        assert problem("Still", label=label).startswith("trackers.custom.0.label: a label must be 1 to 100")
    with pytest.raises(ValueError, match="a label must be 1 to 100 printable characters"):
        TrackerOptions.realtime(label)


def test_a_label_that_is_taken_is_told_and_the_first_keeps_it():
    found = loaded("Named", "Named", "Still", abandoned=None)
    assert list(map(str, found.problems)) == [
        "trackers.custom.1.label: there is a tracker 'named' already: give this one another"
    ]
    assert found.labels == ("named", "Still")


def test_one_that_cannot_be_loaded_does_not_keep_the_others_from_it():
    found = loaded("Breaks", "Named", "Nobody", use_default_trackers=True)
    assert found.labels == ("users", "idle", "abandoned", "named")
    assert [it.key for it in found.problems] == ["trackers.custom.0.options", "trackers.custom.2.class"]


def test_modules_beside_the_configuration_are_found(tmp_path, monkeypatch):
    (tmp_path / "my_own_trackers.py").write_text(
        "from engine.trackers import Tracker\nclass Mine(Tracker):\n    async def run(self, context): pass\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    specs = TrackerSpecs(custom=(ClassSpec("my_own_trackers:Mine"),), abandoned=None, folder=tmp_path)
    assert load(specs, lambda: T).labels == ("Mine",)


def listeners(*names):
    return load(TrackerSpecs(listeners=tuple(ClassSpec(f"{MUSIC}:{it}") for it in names)), lambda: T)


def test_listeners_are_loaded_and_trackers_that_listen_are_listeners():
    found = listeners("Tells", "Decides", "Tells")
    assert list(found.listeners) == ["Tells", "Decides", "Tells (2)"]
    assert found.asks
    found = loaded("Both", "Named")
    assert list(found.listeners) == ["Both"]
    assert not found.asks


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "NoTracker",
            "has none of player_tracked, tracker_inactive, tracker_active, player_active, player_e",
        ),
        ("Both", "is a tracker: under trackers.custom it listens by itself"),
    ],
)
def test_what_is_no_listener_is_told(name, line):
    (problem,) = map(str, listeners(name).problems)
    assert problem.startswith(f"trackers.listeners.0.class: {MUSIC}:{name} {line}")


def test_check_tells_all_that_is_wrong():
    specs = TrackerSpecs(
        custom=(ClassSpec(f"{MUSIC}:Breaks"), ClassSpec(f"{MUSIC}:Named")),
        listeners=(ClassSpec(f"{MUSIC}:Nobody"),),
        abandoned={"timeout_s": 0},
    )
    assert [line.partition(":")[0] for line in check(specs)] == [
        "trackers.abandoned.options",
        "trackers.custom.0.options",
        "trackers.listeners.0.class",
    ]


@pytest.mark.parametrize("interval_s", [0, -1, math.nan, math.inf])
def test_an_interval_is_above_0_and_finite(interval_s):
    with pytest.raises(ValueError, match="poll_interval_s must be above 0 and finite"):
        TrackerOptions.polling(poll_interval_s=interval_s)


@pytest.mark.parametrize("interval_s", ["5", True, [5]])
def test_an_interval_is_a_number(interval_s):
    with pytest.raises(TypeError, match="poll_interval_s must be a number of seconds"):
        TrackerOptions.polling(poll_interval_s=interval_s)


def test_a_label_is_text():
    with pytest.raises(TypeError, match="a label must be text, not 5"):
        TrackerOptions.polling(label=5)


def test_a_tracker_polls_unless_it_says_otherwise():
    assert Tracker.options == TrackerOptions(Mode.POLLING, None, None)
    assert TrackerOptions.realtime("mine") == TrackerOptions(Mode.REALTIME, "mine", None)
