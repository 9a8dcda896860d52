"""The tracker of abandonment: an event is inactive while nobody is there whose time counts."""

import pytest

from engine.trackers import AbandonedTracker, EventRegistry, builtin
from tests.trackers.stage import DEAF, EVENT, GUILD, OTHER_CHANNEL, T


@pytest.fixture
def abandoned(stage, run, voice):
    """Run it with options."""

    def abandoned(**options):
        run(AbandonedTracker(EventRegistry(stage), voice, **options))

    return abandoned


def test_an_event_that_everybody_has_left_is_abandoned(abandoned, stage, until, then):
    stage.hold()
    stage.join(1)
    abandoned(timeout_s=60, initial_timeout_s=600)
    until(lambda: stage.subscribers)
    stage.leave(1)
    then(True, 60_000, subject_id=EVENT)
    assert stage.commits[-1].marks[0].guild_id == GUILD
    stage.join(1)
    then(False, subject_id=EVENT)
    stage.join(1, channel_id=OTHER_CHANNEL)
    then(True, 60_000, 3, subject_id=EVENT)


def test_nobody_who_counts_is_nobody(abandoned, stage, then):
    stage.hold(required_role_ids=(7,))
    stage.join(1, roles=(8,))
    stage.join(2, roles=(7,), flags=DEAF)
    abandoned()
    then(True, None, 1, subject_id=EVENT)
    stage.join(1, roles=(7,))
    then(False, None, 2, subject_id=EVENT)


def test_an_event_to_which_nobody_has_come_yet_has_its_own_timeout(abandoned, stage, then):
    stage.hold()
    abandoned(timeout_s=60, initial_timeout_s=600)
    then(True, 600_000, subject_id=EVENT)
    stage.join(1)
    then(False, subject_id=EVENT)
    stage.leave(1)
    then(True, 60_000, 3, subject_id=EVENT)


def test_events_that_begin_later_are_looked_at_too(abandoned, stage, then, monkeypatch):
    monkeypatch.setattr(builtin, "SWEEP_S", 0.01)
    abandoned()
    stage.hold()
    then(True, subject_id=EVENT)
    stage.end()
    stage.hold(started_at=T + 1)
    then(True, None, 2, subject_id=EVENT)


def test_an_event_is_not_told_again_with_each_sweep(abandoned, stage, then, until, monkeypatch):
    monkeypatch.setattr(builtin, "SWEEP_S", 0.001)
    stage.hold()
    looks = []
    events = stage.events
    monkeypatch.setattr(stage, "events", lambda: looks.append(1) or events())
    abandoned()
    then(True, None, 1, subject_id=EVENT)
    seen = len(looks)
    until(lambda: len(looks) > seen + 10)
    then(True, None, 1, subject_id=EVENT)
