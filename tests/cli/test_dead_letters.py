"""The commands about dead letters, on a real engine."""

import json

import pytest

from engine.storage.journal import FIELD, stream_key
from engine.storage.redis_client import connect
from tests.api.running import LOUNGE, NOON, update
from tests.poison import poisoned


@pytest.fixture
def poison(monkeypatch, running):
    """Two users whose updates no step could take; empty it, and it can."""
    users = poisoned(monkeypatch, 666, 667)
    running.tell(update(NOON, 666, LOUNGE), update(NOON + 1, 667, LOUNGE), at=NOON + 5_000)
    return users


def listed(rollcall, *options):
    code, out, err = rollcall("debug", "dead-letters", *options, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


@pytest.mark.usefixtures("poison")
def test_dead_letters_are_a_table_with_their_reason(rollcall):
    _, out, _ = rollcall("debug", "dead-letters")
    title, *rows = out.splitlines()
    assert title.split()[:4] == ["JOURNAL", "ID", "ACTOR", "KIND"]
    assert len(rows) == 2
    assert all("RuntimeError: poison" in it and "VoiceStateChanged" in it for it in rows)


def test_letters_are_retried_by_their_id_or_all_at_once(rollcall, poison):
    first = listed(rollcall)[0]["journalId"]
    refused = rollcall("debug", "dead-letters", "retry", first)[1]
    assert refused.endswith("0 took effect, 1 were refused again\n")  # below what the engine logs here
    poison.clear()
    taken = rollcall("debug", "dead-letters", "retry", first)[1]
    assert taken.endswith("1 took effect, 0 were refused again\n")
    told = rollcall("debug", "dead-letters", "retry", "--all", "--json")[1]
    assert json.loads(told) == {
        "retried": 1,
        "refused": 0,
        "unreadable": 0,
    }
    assert listed(rollcall) == []
    assert len(listed(rollcall, "--all")) == 2


def test_letters_that_cannot_be_read_are_told_of_and_stay(rollcall, running, redis_url):
    with connect(redis_url) as client:
        client.xadd(stream_key(0), {FIELD: b"noise"})
    running.tell()
    told = rollcall("debug", "dead-letters", "retry", "--all")[1]
    line = "0 took effect, 0 were refused again, 1 cannot be taken: unreadable\n"
    assert told.endswith(line)
    assert rollcall("debug", "dead-letters", "retry", "--guild", "10")[1].endswith("refused again\n")
    assert len(listed(rollcall)) == 1


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("given", [[], ["1-0", "--all"], ["--guild", "10", "--all"]])
def test_a_retry_wants_one_way_to_name_its_letters(rollcall, given):
    code, out, err = rollcall("debug", "dead-letters", "retry", *given)
    assert (code, out) == (2, "")
    assert "give one of" in err


@pytest.mark.usefixtures("running")
def test_a_guild_that_is_not_quarantined_is_named(rollcall):
    code, out, err = rollcall("debug", "lift", "guild:10")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "guild:10 is not quarantined" in err
