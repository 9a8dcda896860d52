"""Whatever actors fail, wherever batches end and the engine stops: the rows are those of the plain step."""

import pytest
from hypothesis import HealthCheck, given, settings

from engine.actors.supervisor import Budget
from tests.actors.adversity import adversities, histories, weather


@pytest.fixture
def run(make_bench, monkeypatch):
    """``run(inputs, adversity)``: the bench after the history, settled and stopped."""

    def one(inputs, adversity):
        # Small batches, parked soon, and a budget that random failures cannot spend.
        bench = make_bench(
            workers=adversity.workers, budget=Budget(10**6), park_after_ms=1_000, batch_max_entries=5
        )
        weather(bench, inputs, adversity, adversity.failures, monkeypatch)
        return bench

    return one


@settings(
    max_examples=60,
    deadline=None,
    # ``run`` makes a bench of its own for each example.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(inputs=histories(), adversity=adversities)
def test_failures_splits_parking_and_restarts_change_no_row(run, inputs, adversity):
    bench = run(inputs, adversity)
    assert bench.ledger.rows == bench.expected()
    assert bench.ledger.letters == {}
