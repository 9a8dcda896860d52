"""A dead letter can be taken again: it comes to what the last word on its member allows."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from engine.actors.supervisor import Budget
from engine.domain import step as rules_table
from engine.domain.inputs import (
    ChannelDeleted,
    GuildChanged,
    GuildsKnown,
    GuildSnapshot,
    VoiceState,
    VoiceStateChanged,
)
from engine.domain.retrial_inputs import LettersRetried
from tests.actors.adversity import histories
from tests.actors.inputs import GUILD, OTHER, moved
from tests.actors.refusing import quarantined, refused, retry, sessions
from tests.poison import POISON, ask_first


def test_a_join_that_is_retried_after_its_leave_came_gives_the_whole_session(make_strict, poison, answers):
    poison.add(5)
    bench = make_strict()
    bench.write(moved(1_000, 5))
    bench.start().settle()
    poison.clear()
    bench.write(moved(2_000, 6), moved(9_000, 5, None))
    bench.settle()
    retry(bench)
    assert sessions(bench) == [(5, 7, 1_000, 9_000), (6, 7, 2_000, None)]
    assert answers["retry"].detail == {"retried": 1, "refused": 0}
    assert bench.ledger.letters == {}


@pytest.mark.parametrize(
    "later",
    [
        ChannelDeleted(9_000, GUILD, 7),
        GuildsKnown(9_000, "c", 0, 1, (OTHER,)),
        GuildSnapshot(9_000, GUILD, "c"),
        GuildSnapshot(9_000, GUILD, "c", (VoiceState(6, 7),)),
    ],
)
def test_whatever_ended_it_meanwhile_ends_a_session_that_is_retried(make_strict, poison, later):
    bench = refused(make_strict, poison, moved(1_000, POISON), later)
    retry(bench)
    (row,) = [it for it in sessions(bench) if it[0] == POISON]
    assert row == (POISON, 7, 1_000, 9_000)


def test_a_retry_leaves_its_member_where_the_last_word_put_them(make_strict, poison):
    poison.add(5)
    bench = make_strict()
    bench.write(moved(1_000, 5))
    bench.start().settle()
    poison.clear()
    bench.write(moved(9_000, 5, 8), moved(20_000, 5, 9))
    bench.settle()
    retry(bench)
    rows = [it for it in sessions(bench) if it[0] == 5]
    assert rows[-1] == (5, 9, 20_000, None)
    assert all(one[3] <= other[2] for one, other in pairwise(rows)), "no two overlap"


def test_an_entry_that_a_later_snapshot_has_outdated_changes_nothing(make_strict, monkeypatch, answers):
    changed = rules_table._TABLE[GuildChanged]

    def fails(*_):
        raise RuntimeError("no")

    monkeypatch.setitem(rules_table._TABLE, GuildChanged, fails)
    bench = make_strict()
    bench.write(GuildChanged(1_000, GUILD, "Old"), GuildSnapshot(2_000, GUILD, "c", name="New"))
    bench.start().settle()
    monkeypatch.setitem(rules_table._TABLE, GuildChanged, changed)
    retry(bench)
    assert bench.ledger.rows.guild(GUILD, 50_000).name == "New"
    assert answers["retry"].detail["retried"] == 1


def test_a_letter_that_fails_again_is_still_there(make_strict, poison, answers):
    assert poison
    bench = make_strict()
    bench.write(moved(1_000, POISON))
    bench.start().settle()
    retry(bench, at=900_000)
    assert answers["retry"].detail == {"retried": 0, "refused": 1}
    assert list(bench.ledger.letters) == ["1-0"]
    retry(bench, at=1_800_000, journal_id="77-0")
    assert answers["retry"].code == "not_found"


def test_a_letter_of_a_quarantined_guild_waits_for_the_lift(make_strict, poison, answers):
    assert poison
    bench = quarantined(make_strict)
    retry(bench, journal_id="2-0")
    assert answers["retry"].code == "conflict"
    assert "debug lift" in answers["retry"].message


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(inputs=histories(), place=st.integers(0, 39))
def test_after_a_retry_everybody_is_where_the_last_word_put_them(retried, inputs, place):
    """Without ``GuildsKnown``: voice states come of guilds here that the bot is not in, which it spares."""
    inputs = [it for it in inputs if not isinstance(it, GuildsKnown)]
    voices = [number for number, it in enumerate(inputs) if isinstance(it, VoiceStateChanged)]
    assume(len(voices) > 1)
    bench, expected = retried(inputs, voices[place % len(voices)])
    ends = {}
    for row in sorted(bench.ledger.rows.sessions.values(), key=lambda it: it.session.joined_at):
        who = (row.guild_id, row.session.user_id)
        assert ends.get(who, 0) <= row.session.joined_at, "no two of one member overlap"
        ends[who] = row.left_at if row.left_at is not None else 2**62
    assert there(bench.ledger.rows) == there(expected)


def there(rows):
    """Return who is in which channel now."""
    found = (it for it in rows.sessions.values() if it.left_at is None)
    return {(it.guild_id, it.session.user_id): it.session.channel_id for it in found}


@pytest.fixture
def retried(make_bench, monkeypatch):
    """``retried(inputs, place)``: a bench that refused the input there, and took it again at the end."""

    def one(inputs, place):
        refused = inputs[place]
        bench = make_bench(batch_max_entries=1, budget=Budget(10**6))
        with monkeypatch.context() as patch:
            ask_first(patch, lambda change: fails(change, refused))
            bench.write(*inputs)
            bench.start().settle()
        expected = bench.expected()
        for letter in list(bench.ledger.letters.values()):
            guild_id = letter.guild_id
            ids = (letter.journal_id,)
            bench.write(LettersRetried(inputs[-1].at, guild_id, f"guild:{guild_id}", ids, "retry"))
            bench.settle()
        bench.close()
        return bench, expected

    def fails(change, refused):
        if change is refused:
            raise RuntimeError("not this one")

    return one
