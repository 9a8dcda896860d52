"""The participant tracking notes (seed 002), scenario by scenario, by its names: from start to end.

Times are seconds, channels letters: see ``EventStory``. What the seed calls the cache is the live state, its
db the ledger. Every story is told again in two parts, and through a crash after each entry. What the notes
say of start-up, shutdown and failure: ``test_participant_recovery.py``.
"""

import pytest

DEAF, SERVER_DEAF = 1, 2


@pytest.fixture
def joined(evening):
    """User 1 has come into the event's channel."""
    evening.held(10)
    evening.voice(12, "A")
    return evening


class TestStartOfEvent:
    @pytest.fixture
    def started(self, evening):
        evening.voice(2, "A")
        evening.voice(3, "A", DEAF, user=2)
        evening.voice(4, "B", user=3)
        evening.held(10)
        return evening

    def test_all_present_users_are_checked_from_channel(self, started):
        assert started.participants() == {1, 2}

    def test_audio_is_checked(self, started):
        assert started.cached(1) == (10, None, 0)
        assert started.cached(2) == (10, 10, 0)

    def test_start_date_and_a_duration_of_0_are_captured(self, started):
        row = started.row(1)
        assert (started.entered(), row.counted_ms) == (10, 0)

    def test_all_participants_are_inserted_into_db_in_a_single_call(self, started):
        assert started.events.writes[500]["SaveParticipants"] == 1

    def test_all_participants_are_inserted_into_cache(self, started):
        assert started.events.live[500].keys() == {1, 2}


class TestNewUserJoinsOrUndeafens:
    def test_a_user_entry_exists_in_db_if_they_enter_during_an_active_event(self, joined):
        assert joined.participants() == {1}
        assert joined.entered() == 12

    def test_start_date_and_a_duration_of_zero_are_inserted_into_cache(self, joined):
        assert joined.cached() == (12, None, 0)

    @pytest.mark.parametrize("flag", [DEAF, SERVER_DEAF])
    def test_audio_is_checked(self, joined, flag):
        joined.voice(13, "A", flag, user=2)
        assert joined.participants() == {1, 2}
        assert joined.cached(2) == (13, 13, 0)

    @pytest.mark.parametrize("flag", [DEAF, SERVER_DEAF])
    def test_whoever_undeafens_starts_then(self, joined, flag):
        joined.voice(13, "A", flag, user=2)
        joined.voice(17, "A", user=2)
        assert joined.cached(2) == (17, None, 0)
        assert joined.entered(2) == 13

    def test_the_cache_is_checked_for_the_user(self, joined):
        """A repeated update changes nothing."""
        joined.voice(14, "A")
        assert joined.cached() == (12, None, 0)
        assert joined.events.writes[500]["SaveParticipants"] == 2  # none at the start, one who joined


class TestUserLeavesOrIsDeafened:
    @pytest.mark.parametrize(("channel", "flag"), [(None, 0), ("B", 0), ("A", DEAF), ("A", SERVER_DEAF)])
    def test_end_date_and_duration_are_stored_in_cache(self, joined, channel, flag):
        joined.voice(17, channel, flag)
        assert joined.cached() == (12, 17, 5)

    def test_so_they_are_when_the_channel_is_deleted(self, joined):
        joined.deleted(17, "A")
        assert joined.cached() == (12, 17, 5)

    def test_so_they_are_when_the_member_is_removed(self, joined):
        joined.removed(17)
        assert joined.cached() == (12, 17, 5)

    def test_the_entry_in_db_stays(self, joined):
        joined.voice(17, None)
        assert joined.participants() == {1}


class TestUserRejoinsOrUndeafens:
    @pytest.mark.parametrize(("channel", "flag"), [(None, 0), ("B", 0), ("A", DEAF), ("A", SERVER_DEAF)])
    def test_the_start_date_is_reset_the_end_date_removed_and_the_duration_kept(self, evening, channel, flag):
        evening.held(10)
        evening.voice(12, "A")
        evening.voice(17, channel, flag)
        evening.voice(20, "A")
        assert evening.cached() == (20, None, 5)
        evening.voice(24, None)
        assert evening.cached() == (20, 24, 9)

    def test_the_first_sight_stays(self, evening):
        evening.held(10)
        evening.voice(12, "A")
        evening.voice(17, None)
        evening.voice(20, "A")
        assert evening.entered() == 12

    def test_whoever_moves_between_an_events_channels_goes_on(self, evening):
        evening.held(10, "AB")
        evening.voice(12, "A")
        evening.voice(17, "B")
        assert evening.cached() == (12, None, 0)
        evening.voice(20, None)
        assert evening.cached() == (12, 20, 8)


class TestEndOfEvent:
    @pytest.fixture
    def ended(self, evening):
        evening.voice(8, "A")
        evening.held(10, seconds=10)
        evening.voice(12, "A", user=2)
        evening.voice(15, None, user=2)
        evening.voice(16, "A", DEAF, user=3)
        evening.voice(18, "A", user=4)
        evening.voice(19, "A", DEAF, user=4)
        evening.stop(30)
        return evening

    def test_all_present_users_are_checked_from_channel(self, ended):
        assert ended.participants() == {1, 2, 3, 4}

    def test_audio_is_checked(self, ended):
        assert ended.time(3) == {"deafened": 14}
        assert ended.time(4) == {"counted": 1, "deafened": 11}

    def test_a_new_end_date_is_stored_for_all_users_missing_one(self, ended):
        assert ended.stretch(1) == (10, 30)

    def test_a_user_with_an_end_date_keeps_it(self, ended):
        assert ended.stretch(2) == (12, 15)
        assert ended.stretch(4) == (18, 19)

    def test_the_duration_is_calculated(self, ended):
        assert [ended.row(user).counted_ms for user in (1, 2, 3, 4)] == [20_000, 3_000, 0, 1_000]

    def test_all_participants_are_updated_in_db_in_a_single_call(self, ended):
        before = ended.events.writes[500]["SaveParticipants"]
        assert before == 1 + 3 + 1  # at the start, who joined, at the end

    def test_the_cache_is_cleared(self, ended):
        assert 500 not in ended.events.live

    def test_later_the_badges_are_distributed_to_eligible_participants(self, ended):
        assert {user: ended.row(user).eligible for user in (1, 2)} == {1: True, 2: False}
        assert ended.badges() == set()
        ended.beat(32)
        assert ended.badges() == {1}
