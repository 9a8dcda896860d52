"""The participant tracking notes (seed 002), scenario by scenario, by its names.

Times are seconds, channels letters: see ``EventStory``. What the seed calls the cache is the live state, its
db the ledger. Every story is told again in two parts, and through a crash after each entry.
"""

import pytest

from tests.domain.event_replay import EventReplay

DEAF, SERVER_DEAF = 1, 2


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
    @pytest.fixture
    def joined(self, evening):
        evening.held(10)
        evening.voice(12, "A")
        return evening

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
    @pytest.fixture
    def present(self, evening):
        evening.held(10)
        evening.voice(12, "A")
        return evening

    @pytest.mark.parametrize(("channel", "flag"), [(None, 0), ("B", 0), ("A", DEAF), ("A", SERVER_DEAF)])
    def test_end_date_and_duration_are_stored_in_cache(self, present, channel, flag):
        present.voice(17, channel, flag)
        assert present.cached() == (12, 17, 5)

    def test_so_they_are_when_the_channel_is_deleted(self, present):
        present.deleted(17, "A")
        assert present.cached() == (12, 17, 5)

    def test_so_they_are_when_the_member_is_removed(self, present):
        present.removed(17)
        assert present.cached() == (12, 17, 5)

    def test_the_entry_in_db_stays(self, present):
        present.voice(17, None)
        assert present.participants() == {1}


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


class TestOnProcessorStartupRecovery:
    """The processor comes back: what the journal tells of the time between is taken first."""

    def test_all_present_users_are_stored_from_channel_and_db_into_cache(self, evening):
        evening.held(10)
        evening.voice(12, "A")
        evening.voice(13, "A", DEAF, user=2)
        evening.crash()
        assert evening.rebuilt_live() == evening.events.live[500]

    def test_a_user_in_db_with_end_date_and_present_in_channel_executes_the_rejoin_flow(self, evening):
        evening.held(10)
        evening.voice(12, "A")
        evening.voice(17, None)
        evening.crash()
        evening.voice(20, "A")
        assert evening.cached() == (20, None, 5)

    def test_a_user_in_db_without_end_date_and_present_in_channel_is_skipped(self, evening):
        evening.held(10)
        evening.voice(12, "A")
        evening.crash()
        evening.beat(20)
        assert evening.rebuilt_live()[1] == evening.events.live[500][1]
        assert evening.cached() == (12, None, 0)

    def test_a_user_not_in_db_and_present_in_channel_executes_the_join_flow(self, evening):
        evening.held(10)
        evening.crash()
        evening.voice(20, "A")
        assert evening.cached() == (20, None, 0)
        assert evening.entered() == 20

    @pytest.mark.parametrize(
        ("before", "cached"),
        [
            pytest.param([(12, "A"), (17, None)], (60, None, 5), id="with end date: rejoin"),
            pytest.param([(12, "A")], (12, None, 0), id="without end date: skip"),
            pytest.param([], (60, None, 0), id="not in db: join"),
        ],
    )
    def test_if_nobody_watched_meanwhile_the_channel_is_compared_with_the_db(
        self, evening, there, before, cached
    ):
        """The ingest was down too: the new connection's snapshot tells who is in the channel."""
        evening.held(10)
        for at, channel in before:
            evening.voice(at, channel)
        evening.beat(30, connected=False)
        evening.beat(60, connection="c2")
        evening.snapshot(60, there("A"), connection="c2")
        assert evening.cached() == cached
        evening.crash()
        assert evening.rebuilt_live() == evening.events.live[500]


class TestOnProcessorShutdownAndFailure:
    """Graceful or not: nothing is stored at the end, since all was stored with what changed it."""

    @pytest.fixture
    def busy(self, evening):
        evening.voice(8, "A")
        evening.held(10)
        evening.voice(12, "A", user=2)
        evening.voice(15, "A", DEAF)
        evening.voice(18, None, user=2)
        return evening

    def test_all_users_of_the_cache_are_in_db(self, busy):
        assert busy.participants() == busy.events.live[500].keys()

    def test_the_db_tells_all_that_the_cache_did(self, busy):
        kept = dict(busy.events.live[500])
        busy.crash()
        assert busy.rebuilt_live() == kept

    def test_on_processor_shutdown_graceful(self, busy):
        """Between two batches: nothing is under way."""
        busy.crash()
        busy.stop(30)
        assert (busy.time(1), busy.time(2)) == ({"counted": 5, "deafened": 15}, {"counted": 6})

    def test_on_processor_failure(self, busy):
        """In the midst of a batch: its effects are lost, and its entries are taken again."""
        again = busy.journal[-3:]
        steady = busy.outcome()
        replayed = EventReplay(busy.rules)
        replayed.take(busy.journal[:-3])
        replayed.crash()
        replayed.take(again)
        assert replayed.outcome() == steady


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


class TestOpenQuestions:
    def test_what_happens_if_the_processor_is_down_and_five_minutes_have_passed(self, evening):
        """Nothing is lost: the journal fills meanwhile, and the processor catches up with the true times."""
        evening.held(10, ends_at=250)
        evening.voice(12, "A")
        meanwhile = EventReplay(evening.rules)
        meanwhile.take(evening.journal)
        evening.voice(60, None)
        evening.voice(100, "A")
        evening.voice(200, None)
        evening.beat(312)
        meanwhile.crash()
        meanwhile.take(evening.journal[len(evening.journal) - 4 :])
        assert meanwhile.outcome() == evening.outcome()
        assert evening.window() == (10, 250)
        assert evening.time() == {"counted": 148}

    def test_what_happens_if_nobody_watches_for_five_minutes(self, evening, there):
        """The ingest is down too. What it did not see is bridged, and counts where the policy says so."""
        for event, policy in ((500, {}), (501, {"count_bridged": False})):
            evening.held(10, event=event, policy=policy)
        evening.voice(12, "A")
        evening.beat(20, connected=False)
        evening.beat(320, connection="c2")
        evening.snapshot(320, there("A"), connection="c2")
        evening.stop(400)
        evening.stop(400, event=501)
        assert evening.time() == {"counted": 388}
        assert evening.time(event=501) == {"counted": 88, "bridged": 300}

    @pytest.mark.parametrize("killed_after", range(1, 9))
    def test_can_the_app_execute_the_graceful_shutdown_scenario(self, evening, killed_after):
        """It need not: wherever it is killed, it goes on as if it had not been."""
        evening.voice(8, "A")
        evening.held(10)
        evening.voice(12, "A", user=2)
        evening.voice(15, "A", DEAF)
        evening.voice(18, None, user=2)
        evening.stop(30)
        evening.beat(32)
        killed = EventReplay(evening.rules)
        killed.take(evening.journal[:killed_after])
        killed.crash()
        killed.take(evening.journal[killed_after:])
        assert killed.outcome() == evening.outcome()
