"""The numbers of trackers: each transition once, and which deadlines were cancelled in time."""

from engine.actors.transitions import Transitions, player_samples, tracker_samples
from engine.domain.guild import GuildState
from engine.domain.tracker_effects import TellListeners, TransitionKind
from engine.domain.tracking import Player, PlayerState, SubjectKind, SubjectState


def told(what, subject_id=1):
    return TellListeners(1, SubjectKind.PLAYER, subject_id, what, 5, SubjectState.ACTIVE)


def test_a_deadline_is_cancelled_only_before_it_has_passed():
    transitions = Transitions()
    for what in ("TRACKED", "ACTIVE", "TRACKED", "INACTIVE", "ACTIVE", "TRACKED", "ACTIVE"):
        transitions.count(told(TransitionKind[what]))
    transitions.count(told(TransitionKind.INACTIVE, subject_id=2))
    assert transitions.cancelled == 2
    values = {it.labels.get("what"): it.value for it in transitions.samples()}
    assert values == {"tracked": 3, "active": 3, "inactive": 2, None: 2}


def test_players_are_counted_by_state():
    guilds = [
        GuildState(1, player=Player(5, 1, PlayerState.PLAYING)),
        GuildState(2, player=Player(5, 1)),
        GuildState(3),
    ]
    assert {it.labels["state"]: it.value for it in player_samples(guilds)} == {
        "idle": 1,
        "playing": 1,
        "paused": 0,
    }


def test_each_tracker_has_its_runs_and_failures():
    status = {"label": "users", "runs": 3, "failures": 1, "restarts": 1, "runS": 0.5}
    values = {it.name: it.value for it in tracker_samples([status])}
    assert values["rollcall_tracker_runs_total"] == 3
    assert values["rollcall_tracker_run_seconds_total"] == 0.5
