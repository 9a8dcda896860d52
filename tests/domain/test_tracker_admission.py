"""How what trackers say goes to guilds and events, and with which time."""

from engine.domain.inputs import Entry, Heartbeat, VoiceStateChanged
from engine.domain.partition import Admission, PartitionState, admit
from engine.domain.rules import MEMORY_MS
from engine.domain.tracker_inputs import (
    EventMarked,
    ExpiryDecided,
    PlayerReported,
    ScopeCommitted,
    SubjectMark,
    SubjectOverridden,
    TrackersKnown,
)
from engine.domain.tracking import Decision, SubjectKind

PLAYER, EVENT = SubjectKind


def admitted(*inputs, present=()) -> Admission[int]:
    entries = [(Entry("a", number, what), number) for number, what in enumerate(inputs)]
    return admit(PartitionState(), "7-0", entries, present)


def shared(admission: Admission[int]):
    """Return (what, record, time) by guild."""
    return {
        guild_id: [(what, record, now) for what, _, record, now in share]
        for guild_id, share in admission.shares.items()
    }


def test_an_item_carries_the_partitions_time_as_of_its_entry():
    update = VoiceStateChanged(5, 1, 1, None)
    admission = admitted(update, Heartbeat(9), update, Heartbeat(12))
    assert [now for *_, now in admission.shares[1]] == [5, 9]
    assert admission.state.now == 12


def test_a_scope_is_one_item_to_each_of_its_guilds_with_the_last_mark():
    marks = (
        SubjectMark(1, PLAYER, 1, True),
        SubjectMark(2, PLAYER, 2, True, 30),
        SubjectMark(1, PLAYER, 1, False),
    )
    admission = admitted(Heartbeat(9), ScopeCommitted(7, "a", marks))
    assert shared(admission) == {
        1: [(ScopeCommitted(7, "a", marks[2:]), 1, 9)],
        2: [(ScopeCommitted(7, "a", marks[1:2]), 1, 9)],
    }
    assert admission.asked == []


def test_marks_on_events_go_to_the_events():
    marks = (
        SubjectMark(1, EVENT, 500, True),
        SubjectMark(1, PLAYER, 1, True),
        SubjectMark(1, EVENT, 501, True, 30),
        SubjectMark(1, EVENT, 500, False),
    )
    admission = admitted(ScopeCommitted(7, "a", marks))
    assert admission.asked == [
        (EventMarked(7, 1, 500, "a", False), 7, 0),
        (EventMarked(7, 1, 501, "a", True, 30), 7, 0),
    ]
    assert list(admission.shares) == [1]


def test_what_is_said_of_one_subject_goes_to_its_guild_or_its_event():
    of_player = [SubjectOverridden(5, 1, PLAYER, 1), ExpiryDecided(6, 1, PLAYER, 1, 4, Decision.IGNORE)]
    of_event = [SubjectOverridden(7, 1, EVENT, 500), ExpiryDecided(8, 1, EVENT, 501, 4, Decision.IGNORE)]
    report = PlayerReported(9, 1, 1)
    admission = admitted(*of_player, *of_event, report)
    assert [what for what, *_ in admission.shares[1]] == [*of_player, report]
    assert [(what, what.event_id) for what, *_ in admission.asked] == [
        (of_event[0], 500),
        (of_event[1], 501),
    ]


def test_which_trackers_run_is_told_to_every_guild_that_is_named_and_to_the_events():
    known = TrackersKnown(7, ("a",))
    admission = admitted(known, present=(1, 2))
    assert shared(admission) == {1: [(known, 0, 7)], 2: [(known, 0, 7)]}
    assert admission.asked == [(known, 7, 0)]


def test_a_scope_beyond_memory_takes_effect_at_its_edge():
    now = 10 * MEMORY_MS
    scope = ScopeCommitted(5, "a", (SubjectMark(1, PLAYER, 1, True), SubjectMark(1, EVENT, 500, True)))
    admission = admitted(Heartbeat(now), scope)
    assert [what.at for what, *_ in (*admission.shares[1], *admission.asked)] == [now - MEMORY_MS] * 2
    assert admission.late == 1


def test_a_scope_appended_twice_is_taken_once():
    scope = Entry("a", 0, ScopeCommitted(5, "a", (SubjectMark(1, PLAYER, 1, True),)))
    admission = admit(PartitionState(), "7-0", [(scope, 0), (scope, 1)])
    assert (len(admission.shares[1]), admission.duplicates) == (1, 1)


def test_an_empty_scope_is_nothing():
    assert shared(admitted(ScopeCommitted(5, "a", ()))) == {}
