"""Scopes: marks that take effect together or not at all."""

import math

import pytest

from engine.domain.inputs import Entry
from engine.domain.tracker_inputs import SubjectMark
from engine.domain.tracking import SubjectKind
from engine.storage.journal import encode
from engine.trackers import (
    PLAYERS,
    NotJournaledError,
    ScopeClosedError,
    TooManyMarksError,
    TrackerContext,
    scope,
)
from tests.trackers.stage import EVENT, GUILD, T

SECOND = 1_000


class BoomError(Exception):
    pass


def test_a_block_commits_all_its_marks_as_one_input_at_the_moment_it_is_left(context, stage):
    with context.scope() as it:
        it.mark_inactive(1, timeout_s=60)
        it.mark_active(2)
        assert stage.inputs == []
        stage.at = T + 5
    (commit,) = stage.commits
    assert (commit.at, commit.tracker) == (T + 5, "own")
    assert commit.marks == (
        SubjectMark(1, SubjectKind.PLAYER, 1, True, 60 * SECOND),
        SubjectMark(2, SubjectKind.PLAYER, 2, False, None),
    )


def test_events_are_marked_with_the_guild_in_which_they_are_held(context, stage):
    stage.hold()
    stage.hold(EVENT + 1, guild_id=77)
    with context.scope() as it:
        it.mark_event_inactive(EVENT, timeout_s=1.5)
        it.mark_event_active(EVENT + 1)
    (commit,) = stage.commits
    assert commit.marks == (
        SubjectMark(GUILD, SubjectKind.EVENT, EVENT, True, 1_500),
        SubjectMark(77, SubjectKind.EVENT, EVENT + 1, False, None),
    )


def test_an_event_that_is_not_held_is_passed_over(context, stage):
    with context.scope() as it:
        it.mark_event_inactive(EVENT)
        it.mark_inactive(1)
    with context.scope() as it:
        it.mark_event_inactive(EVENT)
    assert stage.marks == [("own", 1, True, None)]


def test_an_exception_inside_takes_all_marks_back(context, stage):
    def fail_halfway():
        with context.scope() as it:
            it.mark_inactive(1)
            raise BoomError

    with pytest.raises(BoomError):
        fail_halfway()
    assert stage.inputs == []
    with context.scope() as it:
        it.mark_active(1)
    assert len(stage.commits) == 1


async def test_an_exception_inside_takes_all_marks_back_in_an_async_block_too(context, stage):
    async def fail_halfway():
        async with context.scope() as it:
            it.mark_inactive(1)
            raise BoomError

    with pytest.raises(BoomError):
        await fail_halfway()
    assert stage.inputs == []


@pytest.mark.parametrize("last", [True, False])
def test_of_two_marks_of_one_subject_the_last_counts(context, stage, last):
    with context.scope() as it:
        marks = [lambda: it.mark_inactive(GUILD, 5), lambda: it.mark_active(GUILD)]
        for mark in marks if not last else reversed(marks):
            mark()
    assert stage.marks == [("own", GUILD, last, 5_000 if last else None)]


def test_a_guild_and_an_event_of_the_same_id_are_two_subjects(context, stage):
    stage.hold(event_id=GUILD)
    with context.scope() as it:
        it.mark_inactive(GUILD)
        it.mark_event_active(GUILD)
    assert [(m.kind, m.inactive) for m in stage.commits[0].marks] == [(0, True), (1, False)]


def test_an_empty_commit_appends_nothing(context, stage):
    with context.scope():
        pass
    assert stage.inputs == []


@pytest.mark.parametrize(
    "method", ["mark_active", "mark_inactive", "mark_event_active", "mark_event_inactive"]
)
def test_marking_on_a_closed_scope_raises(context, stage, method):
    with context.scope() as it:
        pass
    with pytest.raises(ScopeClosedError, match="closed"):
        getattr(it, method)(1)
    assert stage.inputs == []


def test_marking_before_the_block_raises(context):
    it = context.scope()
    with pytest.raises(ScopeClosedError, match="not open yet"):
        it.mark_active(1)
    with it:
        pass


def test_a_scope_is_entered_once(context):
    with context.scope() as it:
        pass
    with pytest.raises(ScopeClosedError, match="once"), it:
        pass


def test_a_scope_that_is_left_twice_commits_once(context, stage):
    with context.scope() as it:
        it.mark_inactive(1)
    with pytest.raises(ScopeClosedError):
        it.__exit__(None, None, None)
    assert len(stage.commits) == 1


def test_a_scope_that_was_let_go_of_commits_nothing(context, stage):
    it = context.scope()
    it.__enter__()
    it.mark_inactive(1)
    assert context.scope_open_s is not None
    assert context.release()
    assert context.scope_open_s is None
    with pytest.raises(ScopeClosedError):
        it.__exit__(None, None, None)
    assert stage.inputs == []


def test_a_closed_context_commits_nothing(context, stage):
    it = context.scope().__enter__()
    it.mark_inactive(1)
    context.close()
    with pytest.raises(ScopeClosedError, match="runs no more"):
        it.__exit__(None, None, None)
    assert stage.inputs == []


def test_a_journal_that_takes_nothing_is_told_and_the_scope_is_left(context, stage):
    stage.refuses = RuntimeError("memory and spool are full")
    with pytest.raises(NotJournaledError, match="full"), context.scope() as it:
        it.mark_inactive(GUILD)
    stage.refuses = None
    stage.play()
    assert context.entry(GUILD) is None
    with context.scope() as it:
        it.mark_inactive(GUILD)
    assert len(stage.commits) == 1


def test_a_flood_of_marks_is_one_input_that_the_journal_can_carry(context, stage):
    with context.scope() as it:
        for guild_id in range(1, 100_001):
            it.mark_inactive(guild_id, 30)
    (commit,) = stage.commits
    assert len(commit.marks) == 100_000
    assert len(encode(Entry("own", 1, commit))) < 4 << 20


def test_more_subjects_than_one_scope_holds_are_refused(context, stage, monkeypatch):
    monkeypatch.setattr(scope, "MARKS_MAX", 3)
    with context.scope() as it:
        for guild_id in (1, 2, 3):
            it.mark_inactive(guild_id)
        with pytest.raises(TooManyMarksError, match="3 subjects"):
            it.mark_inactive(4)
        it.mark_active(3)
    assert [mark[1:3] for mark in stage.marks] == [(1, True), (2, True), (3, False)]


@pytest.mark.parametrize("wrong", ["10", 1.5, None, True])
def test_what_is_no_int_is_no_id(context, wrong):
    with context.scope() as it, pytest.raises(TypeError, match="id must be an int"):
        it.mark_active(wrong)


@pytest.mark.parametrize("wrong", [0, -1, 2**63])
def test_an_id_fits_the_ledger(context, wrong):
    with context.scope() as it, pytest.raises(ValueError, match="between 1 and"):
        it.mark_event_inactive(wrong)


@pytest.mark.parametrize("wrong", [0, -1, -0.5, math.nan, math.inf])
def test_a_timeout_is_above_0_and_finite(context, wrong):
    with context.scope() as it, pytest.raises(ValueError, match="timeout_s must be above 0"):
        it.mark_inactive(1, wrong)


@pytest.mark.parametrize("wrong", ["30", True])
def test_a_timeout_is_a_number(context, wrong):
    with context.scope() as it, pytest.raises(TypeError, match="timeout_s must be a number"):
        it.mark_inactive(1, wrong)


@pytest.mark.parametrize(
    ("timeout_s", "timeout_ms"),
    [(0.0001, 1), (0.25, 250), (60 * 86_400, 5_184_000_000), (10**400, 31_536_000_000_000)],
)
def test_a_timeout_has_no_upper_limit_that_anybody_would_see(context, stage, timeout_s, timeout_ms):
    with context.scope() as it:
        it.mark_inactive(1, timeout_s)
    assert stage.marks == [("own", 1, True, timeout_ms)]


def test_a_tracker_that_reports_on_players_has_no_marks_for_events(stage):
    context = TrackerContext("own", stage, stage, stage.now, PLAYERS)
    with context.scope() as it, pytest.raises(ValueError, match="own does not report on events"):
        it.mark_event_active(EVENT)
