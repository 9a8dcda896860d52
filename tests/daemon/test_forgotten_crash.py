"""An engine that dies while it forgets people leaves what one leaves that never died."""

import pytest

from engine.domain.inputs import MemberForgotten
from engine.domain.rules import EventRules, Rules
from engine.storage.writer import JournalWriter
from tests.actors.evening import EVENING
from tests.actors.inputs import GUILD, beat, moved
from tests.daemon.crash_points import Task
from tests.daemon.crashes import EACH, INDEX, crash, deaths
from tests.daemon.replay import Recording, replay, tables_of
from tests.daemon.running import until

pytestmark = [pytest.mark.crash, pytest.mark.slow]

RULES = Rules(events=EventRules(min_duration_ms=5_000, distributor="role", badge_roles={GUILD: 44}))
FORGETTING = ("after outbox.withdraw", "before ledger.wipe", "after ledger.wipe")
# One during an event, one before it, one after its badges, one who came back, and one whom nobody knew.
STORY = (
    *EVENING[:6],
    MemberForgotten(12_100, 4, "in passing"),
    *EVENING[6:9],
    MemberForgotten(14_500, 3, "present"),
    *EVENING[9:],
    MemberForgotten(29_000, 1, "with a badge"),
    moved(30_000, 1),
    beat(31_000),
    MemberForgotten(32_000, 1, "back again"),
    MemberForgotten(33_000, 99, "unknown"),
    moved(34_000, 2),
    beat(35_000),
)


@pytest.fixture
def recording(make_server, tmp_path):
    """A journal of the story, and the ledger that an engine makes of it entry by entry."""
    server = make_server().start()
    writer = JournalWriter(server.url, "ingest", spool_path=tmp_path / "spool")
    writer.start()
    writer.append(*STORY)
    told = Recording(server.url, tmp_path / "recorded.db", RULES)
    until(lambda: len(told.records) == len(STORY), "the whole journal")
    writer.close()
    replay(told, told.database, 1)
    return told


def test_wherever_it_dies_the_same_is_forgotten(recording, tmp_path):
    rows = tables_of(recording.database)
    assert {row[1] for row in rows["participant"]} == {-1, -2, -3, 2, 3}
    assert {user_id for _, user_id, _ in rows["forgotten"]} == {1, 3, 4, 99}
    lasting = {point: 2 if INDEX[point] < INDEX["after ledger.commit"] else 1 for point in EACH}
    lasting |= dict.fromkeys(FORGETTING, 1)
    # Before it has wiped, each life would die at its first commit's end for ever.
    once = {"before ledger.wipe"}
    told = crash(
        recording,
        [
            Task(f"at-{INDEX[point]}", [(INDEX[point], number)], again=point not in once)
            for point, number in lasting.items()
        ],
        tmp_path,
    )
    died = {it["task"]: deaths(it) for it in told}
    assert died[f"at-{INDEX['after ledger.commit']}"] >= len(STORY) - 1
    assert died[f"at-{INDEX['after ledger.wipe']}"] > len(rows["forgotten"])
    assert min(died.values()) > 0
