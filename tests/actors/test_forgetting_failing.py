"""Who is forgotten stays so whatever fails: the rows are those of calm weather."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.event_inputs import StartEvent
from tests.actors.adversity import adversities, histories, weather
from tests.actors.evening import EVENT, created
from tests.actors.forgetting import forget
from tests.actors.inputs import GUILD
from tests.daemon.replay import differences


@pytest.fixture
def compare(make_durable, tables, tmp_path, monkeypatch):
    """Take a story entry by entry, and once more against adversity; tell how the rows differ."""

    def one(story, adversity):
        for name in ("calm", "stormy"):
            for file in tmp_path.glob(f"{name}.db*"):
                file.unlink()
        calm = make_durable("calm", batch_max_entries=1).start()
        calm.write(*story)
        calm.settle()
        calm.close()
        stormy = make_durable("stormy", workers=adversity.workers, park_after_ms=1_000)
        # Once at most: the budget is for real ones.
        failures = dict.fromkeys(list(adversity.failures)[:1], 1)
        weather(stormy, story, adversity, failures, monkeypatch)
        return differences(_without_letters(tables("calm")), _without_letters(tables("stormy")))

    return one


def _without_letters(tables):
    return {name: rows for name, rows in tables.items() if name != "deadletter"}


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    inputs=histories(), adversity=adversities, users=st.dictionaries(st.integers(0, 39), st.integers(1, 3))
)
def test_whatever_fails_the_rows_are_the_same(compare, inputs, adversity, users):
    story = [created(inputs[0].at, channel_ids=(7, 8)), StartEvent(inputs[0].at, GUILD, EVENT, "start")]
    for place, it in enumerate(inputs):
        story += [it, *([forget(users[place], it.at)] if place in users else [])]
    assert compare(story, adversity) == []
