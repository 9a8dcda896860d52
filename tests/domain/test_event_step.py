"""The event's step as a machine: its state is a function of the ledger's rows, however its input was cut.

Times are seconds, channels letters: see ``EventStory``. Each story is told again in other portions, and
through a crash after each entry, when its test is over (see ``conftest.hold``).
"""

import pytest

from engine.domain.participation import END_OF_TIME

DEAF = 1
CREW = 7


def test_whoever_joined_at_the_very_end_was_not_in_the_event(evening):
    evening.held(10)
    evening.voice(20, "A")
    evening.stop(20)
    assert evening.participants() == set()
    assert evening.links() == []


def test_a_late_stop_takes_back_a_session_that_began_after_it(evening):
    evening.held(10)
    evening.voice(12, "A")
    evening.voice(14, None)
    evening.voice(16, "A")
    evening.stop(15)
    assert evening.time() == {"counted": 2}
    assert evening.links() == [(1, 12)]


def test_a_role_won_after_the_end_links_nothing(evening):
    evening.held(10, roles=(CREW,))
    evening.voice(12, "A")
    evening.stop(20)
    evening.roles(20.5, CREW)
    assert evening.links() == []
    assert evening.time() == {"missing_role": 8}


def test_a_late_stop_takes_back_the_link_of_a_role_won_after_it(evening):
    evening.held(10, roles=(CREW,))
    evening.voice(12, "A")
    evening.roles(16, CREW)
    assert evening.links() == [(1, 12)]
    evening.stop(15)
    assert evening.links() == []


def test_a_role_held_for_no_time_links_nothing(evening):
    evening.held(10, roles=(CREW,))
    evening.voice(12, "A")
    evening.roles(14, CREW)
    evening.roles(14)
    assert evening.links() == []


def test_who_was_only_in_a_channel_that_is_none_of_the_events_any_more_is_no_participant(evening):
    evening.held(10)
    evening.voice(12, "A")
    evening.voice(13, "B", user=2)
    evening.change(20, channels="B")
    assert evening.participants() == {2}
    evening.change(22, channels="AB")
    assert evening.participants() == {1, 2}


def test_who_was_there_too_shortly_for_a_session_stays_through_every_new_score(evening):
    evening.held(10)
    evening.voice(12, "A")
    evening.voice(12.4, None)
    evening.voice(14, "A")
    evening.rescore(16)
    evening.change(18, channels="B")
    evening.rescore(19)
    evening.change(20, channels="A")
    assert evening.entered() == 12


def test_an_entry_is_written_the_same_whatever_is_known_by_then(evening):
    evening.make(0, starts_at=10)
    evening.voice(5, "A")
    evening.voice(8, "A", DEAF)
    evening.beat(12)
    row = evening.row()
    assert row.start_at == row.end_at == row.entered_at


def test_what_a_new_score_changed_does_not_depend_on_what_happened_after_it(evening):
    evening.held(10)
    evening.voice(10, "A")
    answer = evening.rescore(12)
    evening.voice(12.5, None)
    assert answer.detail["changed"] == 0


def test_a_new_event_knows_its_guilds_afk_channel(evening):
    evening.afk(5, "A")
    evening.held(10)
    evening.voice(12, "A")
    evening.stop(20)
    assert evening.time() == {"afk": 8}


def test_an_afk_channel_named_after_the_end_by_time_does_not_matter(evening):
    evening.make(5, starts_at=10, ends_at=20)
    evening.voice(12, "A")
    evening.afk(21, "A")  # the first entry to show that it is over
    assert evening.time() == {"counted": 8}


def test_events_that_have_not_begun_follow_nobody(evening):
    evening.make(5)
    evening.voice(6, "A")
    assert evening.states[500].attendees == {}


@pytest.mark.parametrize("joined", [8, 12])
def test_who_turns_out_not_to_have_been_there_after_the_end_is_none_after_a_crash_either(evening, joined):
    evening.voice(joined, "A")
    evening.held(10)
    evening.stop(20)
    evening.voice(21, None, lost=joined + 0.5)
    assert evening.participants() == ({1} if joined > 10 else set())


def test_who_is_seen_late_and_shortly_is_remembered_after_a_crash(evening):
    evening.make(5, starts_at=10, ends_at=20)
    evening.beat(21, alive=5)  # another writer's clock is ahead
    evening.voice(14, "A")
    evening.voice(14.5, None)
    assert evening.participants() == {1}


def test_who_is_left_alone_or_joined_is_followed_though_nothing_happened_to_them(evening):
    evening.held(10, policy={"count_alone": False})
    evening.voice(12, "A")
    assert evening.cached() == (12, 12, 0)
    evening.voice(15, "A", user=2)
    assert evening.cached() == (15, None, 0)
    evening.voice(18, None, user=2)
    assert evening.cached() == (15, 18, 3)


def test_nobody_starts_at_the_end_of_time(evening):
    evening.held(10, policy={"count_alone": False})
    evening.voice(12, "A")
    assert evening.events.live[500][1].start_at < END_OF_TIME


def test_another_writers_clock_that_is_ahead_settles_no_event_of_a_guild_that_was_left(evening):
    evening.make(5, starts_at=10, ends_at=20)
    evening.voice(12, "A")
    evening.voice(14, None)
    evening.lost(15)
    evening.beat(60, alive=15)
    assert not evening.event().settled
    evening.beat(61, alive=61)
    assert evening.event().settled
    assert evening.badges() == {1}


def test_a_stay_that_began_and_ended_in_one_gap_is_nobodys_company(evening):
    evening.held(10, policy={"count_alone": False})
    evening.voice(12, "A", user=2)
    evening.beat(20, connected=False)
    evening.voice(30, "A", lost=20)
    evening.voice(30, None, lost=20)
    assert evening.time(1) == {}
    assert evening.time(2) == {"alone": 18}


def test_a_link_goes_with_the_last_of_several_sessions_of_one_moment(evening):
    evening.held(10, "AB")
    evening.voice(12, "A")
    evening.voice(12, "B")
    evening.voice(12, None)
    assert evening.links() == []


def test_a_session_of_the_same_moment_as_a_dropped_one_is_linked(evening):
    evening.held(10, "AB")
    evening.voice(12, "A")
    evening.voice(12, "B")
    assert evening.links() == [(1, 12)]


def test_a_session_of_one_moment_dropped_again_and_again_is_not_linked(evening):
    evening.held(10, "AB")
    for channel in ("A", "B", "A", None, "B", None):
        evening.voice(12, channel)
    assert evening.links() == []
    assert evening.participants() == {1}


def test_a_cancelled_event_is_followed_until_its_last_sessions_are_known(evening):
    evening.held(10)
    evening.voice(12, "A")
    evening.voice(19.5, "A", user=2)
    evening.cancel(20)
    assert not evening.event().settled
    evening.voice(20.3, None, user=2)
    evening.beat(22)
    assert evening.event().settled
    assert evening.links() == [(1, 12)]
    assert (evening.time(1), evening.time(2)) == ({"counted": 8}, {})
    assert evening.badges() == set()
