"""The tracker of idleness: a player is inactive while it plays nothing."""

import pytest

from engine.domain.tracking import PlayerState
from engine.trackers import IdleTracker, TrackerContext
from tests.trackers.stage import T

IDLE, PLAYING, PAUSED = PlayerState


@pytest.fixture
def idle(run, players):
    """Run it with options."""

    def idle(**options):
        run(IdleTracker(players, **options))

    return idle


@pytest.mark.parametrize(("state", "inactive"), [(PLAYING, False), (IDLE, True), (PAUSED, True)])
def test_idle_is_who_plays_nothing(idle, stage, settled, state, inactive):
    stage.play(state=state)
    idle()
    settled()
    assert stage.said_of() == [True] * inactive


def test_idle_follows_the_player(idle, stage, then, settled):
    stage.play(state=PLAYING)
    idle(timeout_s=5, initial_timeout_s=50)
    settled()
    stage.play(state=IDLE)
    then(True, 5_000)
    stage.play(state=PAUSED)
    settled()
    stage.play(state=PLAYING)
    then(False)
    stage.play(state=PAUSED)
    then(True, 5_000, 3)


def test_idle_gives_a_player_that_was_not_heard_yet_its_own_timeout(idle, stage, then):
    idle(timeout_s=5, initial_timeout_s=50)
    stage.play(state=IDLE)
    then(True, 50_000)
    stage.play(state=PLAYING)
    then(False)
    stage.play(state=IDLE)
    then(True, 5_000)
    stage.unplay()
    stage.play(state=IDLE, since=T + 1)
    then(True, 50_000, 4)


def test_idle_without_an_initial_timeout_uses_the_other(idle, stage, then):
    stage.play(state=IDLE)
    idle(timeout_s=5)
    then(True, 5_000)


def test_idle_does_not_mark_new_players_where_it_should_not(idle, stage, then, looked_at):
    idle(track_new_players=False)
    stage.play(state=IDLE)
    stage.play(11, state=PLAYING)
    looked_at()
    stage.play(11, state=IDLE)
    then(True, subject_id=11)
    assert stage.said_of() == []
    stage.play(state=PLAYING)
    looked_at()
    stage.play(state=IDLE)
    then(True, None, 1)


def test_a_pause_of_ours_is_no_idleness(idle, stage, then, settled):
    stage.play(state=PLAYING)
    idle()
    settled()
    stage.play(state=PAUSED, paused_by_us=True)
    settled()
    assert stage.said_of() == []
    stage.play(state=PAUSED, paused_by_us=False)
    then(True)
    stage.play(state=PAUSED, paused_by_us=True)
    then(False)


def test_idle_means_the_states_that_it_is_told(idle, stage, settled):
    stage.play(state=PAUSED)
    idle(states=["idle"])
    settled()
    assert stage.said_of() == []


def test_idle_keeps_the_timeout_that_an_earlier_life_gave(idle, stage, settled):
    stage.play(1, state=IDLE)
    stage.play(2, state=IDLE)
    with TrackerContext("idle", stage, stage, stage.now).scope() as scope:
        scope.mark_inactive(1, 5)
        scope.mark_inactive(2, 50)
    idle(timeout_s=5, initial_timeout_s=50)
    settled()
    assert (stage.said_of(1), stage.said_of(2)) == ([True], [True])
