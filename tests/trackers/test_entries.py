"""What a tracker last committed: its own word at once, the engine's when it has it, nothing of the past."""

import pytest

from engine.domain.tracking import Mark, PlayerState
from engine.trackers import TrackerContext, entries
from tests.trackers.stage import EVENT, GUILD, Stage, T


@pytest.fixture
def slow_stage():
    """An engine that has not yet read what was journaled."""
    return Stage(applies=False)


def own(stage):
    return TrackerContext("own", stage, stage, stage.now)


def say(context, *, inactive=True, timeout_s=None, guild_id=GUILD):
    with context.scope() as scope:
        if inactive:
            scope.mark_inactive(guild_id, timeout_s)
        else:
            scope.mark_active(guild_id)


def test_an_entry_is_what_was_committed_last_and_not_what_an_open_scope_says(context, stage):
    stage.play()
    assert context.entry(GUILD) is None
    with context.scope() as scope:
        scope.mark_inactive(GUILD, 5)
        assert context.entry(GUILD) is None
    assert context.entry(GUILD) == Mark(T, 5_000)
    say(context, inactive=False)
    assert context.entry(GUILD) is None


def test_an_entry_keeps_its_beginning_when_it_is_marked_again(context, stage):
    stage.play()
    say(context)
    stage.at += 5_000
    say(context, timeout_s=7)
    assert context.entry(GUILD) == Mark(T, 7_000)


def test_a_tracker_reads_its_own_word_before_the_engine_has_it(slow_stage):
    slow_stage.play()
    context = own(slow_stage)
    say(context, timeout_s=5)
    assert context.entry(GUILD) == Mark(T, 5_000)
    slow_stage.at += 1
    say(context, timeout_s=6)
    assert context.entry(GUILD) == Mark(T, 6_000)
    say(context, inactive=False)
    assert context.entry(GUILD) is None
    slow_stage.apply(*slow_stage.commits)
    assert context.entry(GUILD) is None


def test_a_new_context_reads_what_the_engine_has(stage):
    stage.play()
    say(own(stage))
    assert own(stage).entry(GUILD) == Mark(T)


def test_an_entry_is_the_trackers_own(stage):
    stage.play()
    say(own(stage))
    assert TrackerContext("other", stage, stage, stage.now).entry(GUILD) is None


@pytest.mark.parametrize("applies", [True, False])
def test_a_player_that_has_gone_has_no_entry_nor_has_its_successor(applies):
    stage = Stage(applies)
    stage.play()
    context = own(stage)
    say(context)
    stage.unplay()
    assert context.entry(GUILD) is None
    stage.play(since=T + 1)
    assert context.entry(GUILD) is None


def test_a_successor_whose_predecessors_end_nobody_looked_at_has_no_entry(slow_stage):
    slow_stage.play()
    context = own(slow_stage)
    say(context)
    slow_stage.unplay()
    slow_stage.play(since=T - 1)  # by another clock: the id of a player is its beginning, not an order
    assert context.entry(GUILD) is None


def test_a_player_that_changes_keeps_its_entry(slow_stage):
    slow_stage.play()
    context = own(slow_stage)
    say(context)
    slow_stage.play(channel_id=7, state=PlayerState.IDLE)
    assert context.entry(GUILD) == Mark(T)


def test_what_was_said_of_no_player_is_no_entry_of_the_next(slow_stage):
    context = own(slow_stage)
    say(context)
    slow_stage.play()
    assert context.entry(GUILD) is None


@pytest.mark.parametrize("applies", [True, False])
def test_events_have_entries_until_they_end(applies):
    stage = Stage(applies)
    stage.hold()
    context = own(stage)
    with context.scope() as scope:
        scope.mark_event_inactive(EVENT, 9)
    assert context.entry_of_event(EVENT) == Mark(T, 9_000)
    (event,) = stage.events()
    assert context.entry_of_event(event) == Mark(T, 9_000)
    stage.end()
    assert context.entry_of_event(EVENT) is None
    stage.hold(started_at=T + 1)
    assert context.entry_of_event(EVENT) is None


def test_own_words_are_forgotten_once_the_engine_has_them(stage, monkeypatch):
    monkeypatch.setattr(entries, "PRUNE_AT", 10)
    context = own(stage)
    for guild_id in range(1, 101):
        stage.play(guild_id)
        say(context, guild_id=guild_id)
    assert len(context._entries._own) < 20
    assert context.entry(1) == Mark(T)


def test_own_words_of_what_has_gone_are_forgotten(slow_stage, monkeypatch):
    monkeypatch.setattr(entries, "PRUNE_AT", 10)
    context = own(slow_stage)
    slow_stage.hold()
    for guild_id in range(1, 101):
        slow_stage.play(guild_id)
        with context.scope() as scope:
            scope.mark_inactive(guild_id)
            scope.mark_event_inactive(EVENT)
        slow_stage.unplay(guild_id)
    assert len(context._entries._own) < 20
    assert context.entry_of_event(EVENT) == Mark(T)


def test_a_flood_looks_at_all_players_once(slow_stage, monkeypatch):
    for guild_id in range(1, 201):
        slow_stage.play(guild_id)
    context = own(slow_stage)
    looked_at = []
    monkeypatch.setattr(slow_stage, "guild", looked_at.append)
    with context.scope() as scope:
        for guild_id in range(1, 2_001):
            scope.mark_inactive(guild_id)
    assert looked_at == []
    monkeypatch.undo()
    assert context.entry(200) == Mark(T)
    assert context.entry(201) is None
