"""What ended long ago is removed from a real ledger; results stay, and are not scored from what is left."""

import pytest
from msgspec.structs import replace

from engine.domain.event_inputs import RescoreEvent
from engine.domain.rules import DAY_MS
from tests.actors.evening import EVENING, EVENT, RULES
from tests.actors.forgetting import totals
from tests.actors.inputs import GUILD, beat


class TestRetention:
    @pytest.fixture
    def aged(self, make_durable):
        """The evening, and a hundred days later; sessions are kept for one."""
        bench = make_durable(rules=replace(RULES, retention_ms=DAY_MS)).start()
        bench.write(*EVENING, beat(100 * DAY_MS), beat(100 * DAY_MS + 1))
        bench.settle()
        bench.stop()  # what is due after the last commit is done
        return bench

    @pytest.mark.usefixtures("aged")
    def test_what_ended_long_ago_is_gone_and_the_result_stays(self, ask):
        """One has never left."""
        assert ask("SELECT user_id, left_at FROM session") == [(2, None)]
        assert ask("SELECT user_id FROM eventsession") == [(2,)]
        assert ask("SELECT count(*) FROM span") == [(0,)]
        assert totals(ask).keys() == {1, 2, 3, 4}

    def test_the_result_is_not_scored_again(self, aged, ask):
        before = totals(ask)
        future = aged.aftermath.answers.expect("again")
        aged.start().write(RescoreEvent(100 * DAY_MS + 2, GUILD, EVENT, "again"), beat(100 * DAY_MS + 3))
        aged.settle()
        assert future.result(15).code == "conflict"
        assert totals(ask) == before
