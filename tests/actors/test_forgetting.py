"""Who is forgotten in the midst of it all: on a real ledger, however batches fall."""

import pytest
from msgspec.structs import replace

from engine.domain.inputs import GuildSnapshot, VoiceState
from engine.storage.protocols import Record
from tests.actors.evening import EVENING, EVENT, RULES
from tests.actors.forgetting import at_place, forget, totals
from tests.actors.inputs import GUILD, ROOM, beat, moved
from tests.daemon.replay import differences

USERS = (1, 2, 3, 4)
# Half of all: before which entry of the evening who is forgotten.
CASES = [(place, user_id) for place in range(len(EVENING) + 1) for user_id in USERS if (place + user_id) % 2]


@pytest.mark.parametrize(("place", "user_id"), CASES)
def test_the_rest_is_as_if_nobody_had_been_forgotten(make_durable, ask, place, user_id):
    """Before and after, one time is told: what the two come to is what the one did."""
    for name, story in (("as it was", EVENING), ("forgotten", at_place(place, user_id))):
        bench = make_durable(name, rules=RULES).start()
        bench.write(*story)
        bench.settle()
        bench.stop()
    before, after = totals(ask, "as it was"), totals(ask, "forgotten")
    for other in set(USERS) - {user_id}:
        assert after.get(other) == before.get(other)
    old, new = after.get(-1, [0] * 3), after.get(user_id, [0] * 3)
    # Who is forgotten while present is taken anew at the next sign of them: in between they are not seen.
    assert all(
        then + now <= whole
        for then, now, whole in zip(old[:2], new[:2], before.get(user_id, [0] * 3), strict=False)
    )
    if place == len(EVENING):
        assert (old, new) == (before.get(user_id, [0] * 3), [0] * 3)


@pytest.mark.parametrize(("place", "user_id"), CASES)
def test_however_batches_fall_and_the_engine_stops_the_rows_are_the_same(
    make_durable, tables, place, user_id
):
    story = at_place(place, user_id)
    whole = make_durable("whole", rules=RULES)
    whole.write(*story)
    whole.start().settle()
    whole.stop()
    apart = make_durable("apart", rules=RULES, batch_max_entries=1)
    for part in (story[:place], story[place : place + 1], story[place + 1 :]):
        apart.start()
        for it in part:
            apart.write(it)
            apart.settle()
        apart.stop()
    assert differences(tables("whole"), tables("apart")) == []


def test_who_is_present_at_an_event_stays_in_it_without_a_name(make_durable, ask):
    bench = make_durable(rules=RULES).start()
    bench.write(*EVENING[:5], forget(1, 11_000), beat(11_500))
    bench.settle()
    assert ask("SELECT user_id, left_at FROM session WHERE user_id IN (1, -1)") == [(-1, 11_000)]
    assert {user_id for _, user_id in bench.live.values} == {2, 3}
    mine = bench.live.active[EVENT]
    assert (mine.keys(), mine[-1].end_at) == ({-1, 3}, 11_000)
    bench.write(moved(12_000, 1), beat(20_000))
    bench.settle()
    assert bench.live.active[EVENT].keys() == {-1, 1, 3}
    assert bench.live.active[EVENT][1].start_at == 12_000


def test_when_they_left_is_known_to_nobody(make_durable, ask):
    """A late entry takes effect not before the last boundary: there is none any more."""
    bench = make_durable().start()
    bench.write(moved(1_000, 5), moved(50_000, 5, None), forget(5, 20_000), moved(50_001, 5), beat(90_000))
    bench.write(moved(90_001, 5, None), forget(5, 90_002))
    # Of a clock behind that of the others.
    bench.write(moved(90_003, 5))
    bench.settle()
    assert ask("SELECT user_id, joined_at FROM session") == [(5, 90_003)]
    assert bench.ledger.load_guild(GUILD, 90_003).left == {}


def test_a_newcomer_right_behind_a_request_about_nobody_stays(make_durable, ask):
    bench = make_durable()
    bench.write(beat(1_000), forget(5, 1_001), moved(1_002, 5), beat(2_000))
    bench.start().settle()
    assert ask("SELECT user_id, joined_at FROM session") == [(5, 1_002)]
    assert ask("SELECT user_id, at FROM forgotten") == [(5, 1_001)]


def test_a_journal_read_again_tells_nothing_of_them(make_durable, ask):
    """Redis restored from a copy, the writers' lives long forgotten: the entries look new."""
    bench = make_durable(rules=RULES).start()
    bench.write(*EVENING[:5])
    bench.settle()
    copied, last = list(bench.journal.records), bench.journal._last
    bench.write(forget(1, 11_000), forget(3, 11_000), beat(12_000))
    bench.settle()
    bench.stop()
    letters = [
        Record(f"{last + 1}-0", None, b"\xce" + bytes([1]), "the checksum does not match"),
        Record(f"{last + 2}-0", None, bytes([9]), "the checksum does not match"),
    ]
    again = [Record(it.journal_id, replace(it.entry, source="another"), it.raw) for it in copied]
    bench.journal.replace([*again, *letters], last + 2)
    bench.start().settle()
    bench.stop()
    assert ask("SELECT DISTINCT user_id FROM session WHERE user_id > 0") == [(2,)]
    assert ask("SELECT user_id FROM participant") == [(-2,), (-1,)]
    assert ask("SELECT hex(raw) FROM deadletter ORDER BY journal_id") == [("",), ("09",)]


def test_a_dead_letter_of_a_failing_guild_keeps_nothing_of_them(make_durable, ask, monkeypatch):
    from engine.actors import guild

    bench = make_durable().start()
    bench.write(forget(5, 1_000))
    bench.settle()

    def fails(*_):
        raise RuntimeError("a snapshot that no step can take")

    monkeypatch.setattr(guild, "steps", fails)
    bench.write(GuildSnapshot(999, GUILD, "c", (VoiceState(5, ROOM),)))
    bench.write(GuildSnapshot(1_001, GUILD, "c", (VoiceState(6, ROOM),)))
    bench.settle()
    kept = [raw for (raw,) in ask("SELECT raw FROM deadletter ORDER BY journal_id")]
    assert kept == [b"", bench.journal.records[-1].raw]
