"""An event that reads its attendance anew waits for all commits before: the ledger must have it all."""

import threading

import pytest

from engine.domain.attendance import Reason
from engine.domain.effects import SaveSession
from engine.domain.event_inputs import StopEvent
from engine.domain.inputs import GuildChanged, GuildLost
from tests.actors.evening import EVENING, EVENT, RULES
from tests.actors.inputs import GUILD, ROOM, beat, moved

LATE_S = 0.2  # how long a commit waits for a reader that comes too early


@pytest.fixture
def bench(make_bench, monkeypatch):
    """One whose commit of user 9's arrival is late: whoever reads before it reads too early."""
    it = make_bench(rules=RULES, batch_max_entries=1)
    commit, load = it.ledger.commit, it.ledger.load_attendance
    read = threading.Event()

    def late(what):
        if any(isinstance(effect, SaveSession) and effect.session.user_id == 9 for effect in what.effects):
            read.wait(LATE_S)
        return commit(what)

    def reading(event):
        found = load(event)
        read.set()
        return found

    it.write(*EVENING[:5])
    it.start().settle()
    monkeypatch.setattr(it.ledger, "commit", late)
    monkeypatch.setattr(it.ledger, "load_attendance", reading)
    return it


def test_another_afk_channel_counts_for_who_came_just_before(bench):
    bench.write(moved(11_000, 9), GuildChanged(15_000, GUILD, "Guild", ROOM), StopEvent(20_000, GUILD, EVENT))
    bench.settle()
    assert bench.ledger.rows.participants[EVENT, 9].tally[Reason.AFK] == 9_000


def test_who_came_just_before_the_guild_was_lost_was_there(bench):
    """The end lies at the very moment of the last arrival: what was followed does not do."""
    bench.write(moved(11_000, 9), moved(15_000, 5), GuildLost(15_000, GUILD), beat(20_000))
    bench.settle()
    counted = {user_id: row.counted_ms for (_, user_id), row in bench.ledger.rows.participants.items()}
    assert counted == {1: 5_000, 3: 5_000, 9: 4_000}
