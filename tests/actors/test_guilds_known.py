"""Guilds that a new connection knows no more: which are lost depends on all that came before."""

import pytest

from engine.domain.effects import Status
from engine.domain.inputs import (
    GuildsKnown,
    GuildSnapshot,
    Heartbeat,
    ShardBeat,
    VoiceState,
    VoiceStateChanged,
)
from engine.storage.protocols import StorageBusy, StorageError

STAYS, GOES, COMES = 1 << 22, 2 << 22, 3 << 22
USER = 5


def beat(at, name, *, connected=True):
    return Heartbeat(at, (ShardBeat(0, name, connected, at),))


def snapshot(at, guild_id, connection, *user_ids):
    return GuildSnapshot(at, guild_id, connection, tuple(VoiceState(it, 7) for it in user_ids))


def known(at, connection, *guild_ids):
    return GuildsKnown(at, connection, 0, 1, guild_ids)


# The bot is thrown out of one guild, and taken into another, while the ingest is away from 20 s to 60 s.
STORY = [
    beat(1_000, "c1"),
    known(1_001, "c1", STAYS, GOES),
    snapshot(2_000, STAYS, "c1"),
    snapshot(2_000, GOES, "c1"),
    VoiceStateChanged(10_000, STAYS, USER, 7),
    VoiceStateChanged(10_000, GOES, USER, 7),
    beat(20_000, "c1"),
    beat(60_000, "c2"),
    known(60_001, "c2", STAYS, COMES),
    snapshot(60_002, STAYS, "c2", USER),
    snapshot(60_003, COMES, "c2", USER),
]


def left(bench, guild_id):
    row = bench.ledger.rows.sessions[guild_id, USER, 10_000]
    return row.status, row.left_at, row.left_slack_ms


@pytest.mark.parametrize("batch_max_entries", [1, 2, 3, 1_000])
def test_a_guild_that_is_missing_is_cancelled_with_the_gap_as_slack(make_bench, batch_max_entries):
    bench = make_bench(batch_max_entries=batch_max_entries)
    bench.write(*STORY)
    bench.start().settle()
    assert left(bench, GOES) == (Status.CANCELLED, 20_000, 40_001)
    assert left(bench, STAYS) == (Status.ACTIVE, None, 0)
    assert bench.ledger.rows.present_guilds() == [STAYS, COMES]
    assert bench.ledger.rows == bench.expected()


@pytest.mark.parametrize("place", range(1, len(STORY) + 1))
def test_a_commit_that_fails_for_good_is_taken_again_alike_by_the_next_life(make_bench, wait_until, place):
    """What the partition knew by then, the ledger did not."""
    bench = make_bench(batch_max_entries=1)

    def breaks(commit):
        if int(commit.state.cursor[:-2]) >= place:
            raise StorageError("disk I/O error")

    bench.ledger.on_commit = breaks
    bench.start().write(*STORY)
    wait_until(lambda: not bench.watched("committer:0").is_alive(), "the committer's end")
    bench.inside.halt()
    bench.ref.stop(timeout=15)
    bench.ledger.on_commit = lambda _: None
    bench.start().settle()
    assert bench.ledger.rows == bench.expected()


def test_it_waits_for_what_is_taken_and_not_yet_committed(make_bench, wait_until):
    """The guild that goes is known from the same read: nothing of it is in the ledger then."""
    bench = make_bench()
    tries = iter(range(20))

    def slowly(_commit):
        if next(tries, None) is not None:
            raise StorageBusy("locked")

    bench.ledger.on_commit = slowly
    bench.write(*STORY)
    bench.start().settle()
    assert left(bench, GOES) == (Status.CANCELLED, 20_000, 40_001)


def test_a_ledger_too_busy_to_name_the_guilds_is_waited_for(make_bench):
    bench = make_bench()
    bench.write(*STORY)
    tries = iter(range(10))

    def busy():
        if next(tries, None) is not None:
            raise StorageBusy("locked")

    bench.ledger.on_present = busy
    bench.start().settle()
    assert next(tries, None) is None
    assert bench.ledger.rows == bench.expected()


def test_a_halt_does_not_wait_for_a_ledger_too_busy_to_name_the_guilds(make_bench, wait_until):
    bench, asked = make_bench(), []

    def busy():
        asked.append(1)
        raise StorageBusy("locked")

    bench.ledger.on_present = busy
    bench.start().write(*STORY)
    wait_until(lambda: len(asked) > 3, "a few tries")
    bench.stop()
    assert bench.ledger.cursor == "1-0"  # up to the first that asks
