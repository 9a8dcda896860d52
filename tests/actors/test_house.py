"""What a committer does beside its commits: nothing of it may hold them up for good."""

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from engine.actors.house import AGAIN_MS, PRUNE_EVERY_MS, House
from engine.domain.inputs import Heartbeat
from engine.domain.partition import PartitionState
from engine.domain.rules import DAY_MS, Rules
from engine.storage.protocols import StorageBusy, StorageError

HOUR = PRUNE_EVERY_MS
NOW = 1_000_000 * HOUR
FORGOTTEN = PartitionState(now=NOW, forgotten={5: NOW})


class Ledger:
    """Plays back outcomes, and notes what it was asked."""

    def __init__(self) -> None:
        self.outcomes, self.wiped, self.pruned = [], [], []

    def wipe(self, forgotten):
        self.wiped.append(set(forgotten))
        return self._next(default=True)

    def prune(self, before):
        self.pruned.append(before)
        return self._next(default=False)

    def _next(self, default):
        outcome = self.outcomes.pop(0) if self.outcomes else default
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def ledger():
    return Ledger()


def at(state, later_ms):
    return replace(state, now=state.now + later_ms)


class TestWiping:
    @pytest.fixture
    def house(self, ledger):
        return House(ledger, Rules())

    def test_who_is_forgotten_is_wiped_once(self, house, ledger):
        house.keep(FORGOTTEN, forgot=True)
        house.keep(at(FORGOTTEN, 10 * AGAIN_MS), forgot=False)
        assert ledger.wiped == [{5}]

    def test_the_next_life_wipes_what_the_last_one_may_have_left(self, house, ledger):
        house.keep(FORGOTTEN, forgot=False)
        assert ledger.wiped == [{5}]

    def test_the_next_one_is_wiped_too(self, house, ledger):
        house.keep(FORGOTTEN, forgot=True)
        house.keep(replace(FORGOTTEN, forgotten={5: NOW, 6: NOW}), forgot=True)
        assert ledger.wiped == [{5}, {5, 6}]

    def test_without_anybody_there_is_nothing_to_wipe(self, house, ledger):
        house.keep(PartitionState(now=NOW), forgot=False)
        assert ledger.wiped == []

    @pytest.mark.parametrize("outcome", [False, StorageBusy("locked"), StorageError("no room for the copy")])
    def test_what_is_in_the_way_is_waited_for(self, house, ledger, outcome):
        ledger.outcomes = [outcome]
        with capture_logs() as logs:
            house.keep(FORGOTTEN, forgot=True)
        assert [it["event"] for it in logs] == ["wipe_later"] * isinstance(outcome, Exception)
        house.keep(at(FORGOTTEN, AGAIN_MS - 1), forgot=False)
        assert len(ledger.wiped) == 1
        house.keep(at(FORGOTTEN, AGAIN_MS), forgot=False)
        house.keep(at(FORGOTTEN, 3 * AGAIN_MS), forgot=False)
        assert len(ledger.wiped) == 2


class TestPruning:
    @pytest.fixture
    def house(self, ledger):
        return House(ledger, Rules(retention_ms=30 * DAY_MS))

    def keep(self, house, now):
        house.keep(PartitionState(now=now), forgot=False)

    def test_what_is_kept_for_ever_is_not_looked_at(self, ledger):
        self.keep(House(ledger, Rules()), NOW)
        assert ledger.pruned == []

    def test_the_horizon_moves_by_whole_hours(self, house, ledger):
        for later_ms in (5, 10, HOUR - 1, HOUR, HOUR + 7):
            self.keep(house, NOW + later_ms)
        assert ledger.pruned == [NOW - 30 * DAY_MS, NOW + HOUR - 30 * DAY_MS]

    def test_portions_follow_each_other_commit_by_commit(self, house, ledger):
        ledger.outcomes = [True, True, False]
        for later_ms in range(5):
            self.keep(house, NOW + later_ms)
        assert len(ledger.pruned) == 3

    def test_a_ledger_that_is_busy_is_asked_later(self, house, ledger):
        ledger.outcomes = [StorageBusy("locked")]
        for later_ms in (0, AGAIN_MS - 1, AGAIN_MS, 2 * AGAIN_MS):
            self.keep(house, NOW + later_ms)
        assert len(ledger.pruned) == 2


def test_a_partition_prunes_in_its_own_time(make_bench):
    asked = []
    bench = make_bench(rules=Rules(retention_ms=DAY_MS))
    bench.ledger.on_prune = asked.append
    bench.start().write(Heartbeat(NOW + 5))
    bench.settle()
    bench.write(Heartbeat(NOW + HOUR + 5))
    bench.settle()
    bench.stop()
    assert asked == [NOW - DAY_MS, NOW + HOUR - DAY_MS]
