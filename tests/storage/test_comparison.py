"""The ledger and its mirror compared, with what others have put into the same Redis."""

from collections import Counter
from contextlib import closing

import pytest

from engine.storage.backup import reading
from engine.storage.comparison import EVENTS, MISSING, STALE, Comparison
from engine.storage.guild_rows import OPEN_SESSIONS, read_session
from engine.storage.live import guild_key, live_value
from engine.storage.live_events import INDEX
from tests.storage.ledger_files import GUILDS, USERS, make_ledger


@pytest.fixture
def ledger(path):
    return make_ledger(path, commits=2)


@pytest.fixture
def compared(ledger, redis_url):
    """Compare all; return how many guilds, sessions and events, and what differs."""

    def compare():
        with closing(Comparison(ledger, redis_url, 0)) as comparison:
            portions = list(comparison.portions(3))
        *sizes, differing = zip(*portions, strict=True)
        return *map(sum, sizes), sum(differing, Counter())

    return compare


@pytest.fixture
def mirrored(ledger, live):
    """Have the mirror hold what the ledger does."""
    with closing(reading(ledger)) as connection:
        guilds = range(1, GUILDS + 1)
        rows = {it: connection.execute(OPEN_SESSIONS, (it,)).fetchall() for it in guilds}
    live.rebuild(
        "2-0", [(it, [(row[0], live_value(read_session(row))) for row in rows[it]]) for it in guilds]
    )


@pytest.mark.usefixtures("mirrored")
class TestMirrored:
    def test_a_mirror_that_holds_what_the_ledger_does_differs_in_nothing(self, compared):
        assert compared() == (GUILDS, USERS, 0, Counter())

    def test_keys_and_fields_that_are_no_guilds_and_no_events_are_passed_over(self, compared, client):
        client.set("rollcall:live:12-copy", "x")
        client.hset(INDEX, mapping={"foo": "1", "7": "bar"})
        assert compared() == (GUILDS, USERS, 0, Counter())

    def test_what_is_wrong_beside_them_is_still_found(self, compared, client):
        client.set("rollcall:live:12-copy", "x")
        client.hset(INDEX, mapping={"foo": "1", "7": "1"})
        client.hdel(guild_key(1), str(10**17))
        client.hset(guild_key(12), "5", b"stale")
        assert compared() == (GUILDS + 1, USERS, 1, Counter({MISSING: 1, STALE: 1, EVENTS: 1}))
