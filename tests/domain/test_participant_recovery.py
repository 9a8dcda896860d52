"""The participant tracking notes (seed 002), by its names: start-up, shutdown, failure, and open questions.

Times are seconds, channels letters: see ``EventStory``. What the seed calls the cache is the live state, its
db the ledger.
"""

import pytest

from tests.domain.event_replay import EventReplay

DEAF = 1


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
