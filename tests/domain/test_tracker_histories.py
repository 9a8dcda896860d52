"""Random histories of trackers: exactly what the oracle says, however cut, and through every crash."""

import hypothesis.strategies as st
from hypothesis import given, settings
from msgspec.structs import replace

from engine.domain.guild import due_at
from engine.domain.inactivity import next_at
from engine.domain.inputs import Entry, GuildLost
from engine.domain.rules import Rules, TrackingRules
from tests.domain.as_told import told
from tests.domain.event_replay import EventReplay
from tests.domain.ingest import START
from tests.domain.replay import batches
from tests.domain.tracker_tales import (
    EVENT,
    HELD,
    EventTale,
    Op,
    PlayerTale,
    cuts,
    event_histories,
    player_histories,
    rules_drawn,
)

MANY = settings(max_examples=200, deadline=None)


def replayed(journal: list[Entry], rules: TrackingRules, sizes: list[int], *, crash: bool) -> EventReplay:
    replay = EventReplay(Rules(tracking=rules))
    for batch in batches(journal, sizes):
        replay.take(batch)
        check(replay)
        if crash:
            replay.crash()
    replay._take([])
    check(replay)
    return replay


def check(replay: EventReplay) -> None:
    """See that what is in memory is a function of the rows, and the alarm set to the next deadline."""
    rules, trackers = replay.rules, replay.book.trackers
    for guild_id, state in replay.guilds.items():
        kept = trackers.known(state)
        assert kept == state
        assert state.subject is None or state.player is not None
        at = None if state.subject is None else next_at(state.subject, rules.tracking)
        assert trackers.wakes.get(guild_id) == at
        assert due_at(state, rules) == (at or 2**63 - 1)
    for event_id, state in replay.states.items():
        assert trackers.subjects.get((EVENT, event_id)) == state.subject


@MANY
@given(rules_drawn, player_histories, cuts)
def test_players_stand_and_expire_exactly_as_the_oracle_says(rules, ops, sizes):
    tale = PlayerTale(rules)
    tale.play([Op(0, "come", 0), *ops])
    replay = replayed(tale.journal, rules, sizes, crash=False)
    assert told(replay, tale.names) == tale.told
    disconnects = replay.book.trackers.disconnects.values()
    assert [(it.at, it.channel_id) for it in disconnects] == list(dict.fromkeys(tale.disconnected))
    noted = replay.book.trackers.notices.values()
    assert [(it.at, it.channel_id) for it in noted] == list(dict.fromkeys(tale.noted))


@MANY
@given(rules_drawn, event_histories, cuts, st.sampled_from([None, None, 100, 300]), st.booleans())
def test_events_are_abandoned_exactly_as_the_oracle_says(rules, ops, sizes, ends_after_ms, stops):
    tale = EventTale(rules, ends_after_ms)
    tale.play([*ops, *([Op(7, "stop")] if stops else [])])
    replay = replayed(tale.journal, rules, sizes, crash=False)
    assert told(replay, tale.names) == tale.told
    event = replay.events.events[HELD]
    assert (event.started_at, event.ended_at) == tale.window


# Entries that come late, by up to half a second.
lateness = st.lists(st.sampled_from([0, 0, 0, 1, 20, 500]), min_size=1, max_size=10)


@MANY
@given(rules_drawn, player_histories, cuts, lateness)
def test_a_crash_after_any_batch_and_any_other_cut_change_nothing(rules, ops, sizes, late_ms):
    tale = PlayerTale(rules)
    tale.play([Op(0, "come", 0), *ops])
    _compare(_late(tale.journal, late_ms), rules, sizes)


@MANY
@given(rules_drawn, event_histories, cuts, lateness, st.sampled_from([None, 300]))
def test_nor_do_they_for_events(rules, ops, sizes, late_ms, ends_after_ms):
    tale = EventTale(rules, ends_after_ms)
    tale.play(ops)
    begun, rest = tale.journal[:3], tale.journal[3:]
    _compare([*begun, *_late(rest, late_ms)], rules, sizes)


def _late(journal: list[Entry], late_ms: list[int]) -> list[Entry]:
    # A guild's loss is told by the one who sees time pass.
    return [
        it
        if isinstance(it.input, GuildLost)
        else replace(it, input=replace(it.input, at=max(START, it.input.at - late_ms[number % len(late_ms)])))
        for number, it in enumerate(journal)
    ]


def _compare(journal: list[Entry], rules: TrackingRules, sizes: list[int]) -> None:
    whole = replayed(journal, rules, [len(journal)], crash=False)
    cut = replayed(journal, rules, sizes, crash=False)
    crashed = replayed(journal, rules, sizes, crash=True)
    assert cut.outcome() == whole.outcome()
    assert crashed.outcome() == whole.outcome()
