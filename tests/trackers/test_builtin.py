"""The trackers that are built in, with the options of the configuration."""

import pytest

from engine.domain.tracking import PlayerState
from engine.trackers import TrackerSpecs, load
from tests.trackers.stage import EVENT, GUILD, OTHER_CHANNEL


def test_options_of_the_configuration_take_effect(stage, run, until):
    stage.play(state=PlayerState.PLAYING)
    stage.bot_joins(3)
    stage.hold(channel_ids=(OTHER_CHANNEL,))
    specs = TrackerSpecs(
        users={"threshold": 2, "count_bots": True, "timeout_s": 11},
        idle={"states": ["playing"], "initial_timeout_s": 12.5},
        abandoned={"initial_timeout_s": 13},
    )
    run(specs=specs)
    until(lambda: len(stage.marks) == 3)
    assert sorted(stage.marks) == [
        ("abandoned", EVENT, True, 13_000),
        ("idle", GUILD, True, 12_500),
        ("users", GUILD, True, 11_000),
    ]


@pytest.mark.parametrize(
    ("table", "wrong", "text"),
    [
        ("users", {"threshold": -1}, "threshold must be a number of users from 0 on, not -1"),
        ("users", {"threshold": True}, "threshold must be a number of users from 0 on, not True"),
        ("users", {"timeout_s": 0}, "timeout_s must be above 0 and finite, not 0"),
        ("users", {"treshold": 1}, "has no option 'treshold': it takes voice, players, threshold"),
        ("idle", {"states": ["idle", "stopped"]}, "states may name idle, playing, paused, not 'stopped'"),
        ("idle", {"initial_timeout_s": "5"}, "initial_timeout_s must be a number of seconds, not '5'"),
        ("abandoned", {"timeout_s": -2}, "timeout_s must be above 0 and finite, not -2"),
    ],
)
def test_options_that_cannot_be_are_told_with_their_table(table, wrong, text):
    loaded = load(TrackerSpecs(**{table: wrong}), lambda: 0)
    (problem,) = map(str, loaded.problems)
    assert problem.startswith(f"trackers.{table}.options: ")
    assert text in problem
    assert table not in loaded.labels
