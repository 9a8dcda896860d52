"""Guilds that refused what came, and what is asked of them then."""

from engine.domain.retrial_inputs import LettersRetried
from tests.actors.inputs import GUILD, moved
from tests.poison import POISON

NAME = f"guild:{GUILD}"
LIFT = "lift"


def sessions(bench):
    """Return ``(user, channel, joined, left)`` of each row, in order of joining."""
    rows = bench.ledger.rows.sessions.values()
    found = [(it.session.user_id, it.session.channel_id, it.session.joined_at, it.left_at) for it in rows]
    return sorted(found, key=lambda it: (it[2], it[0]))


def quarantined(make_strict, **settings):
    bench = make_strict(**settings)
    bench.write(moved(1_000, 5), moved(2_000, POISON), moved(3_000, POISON))
    bench.write(moved(9_000, 5, 8), moved(9_500, 6), moved(20_000, 5, None))
    bench.start().settle()
    assert list(bench.ledger.quarantined) == [NAME]
    return bench


def refused(make_strict, poison, *inputs):
    """Return a bench that refused the first of these inputs, and would take it now."""
    bench = make_strict()
    bench.write(*inputs)
    bench.start().settle()
    assert list(bench.ledger.letters) == ["1-0"]
    poison.clear()
    return bench


def retry(bench, at=50_000, journal_id="1-0"):
    bench.write(LettersRetried(at, GUILD, NAME, (journal_id,), "retry"))
    bench.settle()
