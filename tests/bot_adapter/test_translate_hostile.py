"""Whatever a payload looks like: it gives inputs or nothing, or it is malformed."""

import random

import pytest

from bot_adapter.payloads import Malformed
from bot_adapter.translate import TRANSLATORS, translate
from tests.bot_adapter.discord_payloads import (
    CONTEXT,
)
from tests.bot_adapter.hostile import SAMPLES, encode, mutate


def outcome(event, data):
    try:
        translation = translate(event, data, CONTEXT)
    except Malformed:
        return "malformed"
    return "inputs" if translation.inputs else "nothing"


def test_of_ten_thousand_mutated_payloads_each_gives_inputs_or_is_malformed():
    rng = random.Random(20150101)
    assert SAMPLES.keys() == TRANSLATORS.keys()
    outcomes = {"inputs": 0, "nothing": 0, "malformed": 0}
    for _ in range(10_000):
        event, payload = rng.choice(list(SAMPLES.items()))
        for _ in range(rng.randrange(1, 4)):
            payload = mutate(payload, rng)
        outcomes[outcome(event, encode(payload, rng))] += 1
    assert all(count > 100 for count in outcomes.values()), outcomes


@pytest.mark.parametrize("event", SAMPLES)
@pytest.mark.parametrize("text", ["[" * 100_000, '{"member":' * 100_000, "", "\xff", "null", '{"id":"1"'])
def test_a_hostile_text_is_malformed(event, text):
    with pytest.raises(Malformed):
        translate(event, text.encode("latin-1"), CONTEXT)
