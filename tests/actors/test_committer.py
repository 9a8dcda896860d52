"""After the commit: the mirror and the outbox catch up with the ledger, whatever they missed."""

import pytest

from engine.actors import committer
from engine.domain.gateway import Connection
from engine.domain.inputs import (
    GuildSnapshot,
    Heartbeat,
    OutboxOutcome,
    ShardBeat,
    VoiceState,
)
from engine.domain.rules import Rules
from engine.storage.protocols import StorageBusy
from tests.actors.inputs import GUILD, moved
from tests.actors.memory import live_value


@pytest.fixture
def mirrored(bench, wait_until):
    """``mirrored()``: wait until the mirror stands where the ledger stands, and compare them."""

    def wait():
        bench.settle()
        wait_until(lambda: bench.live.cursor == bench.ledger.cursor, "the mirror")
        open_sessions = bench.ledger.rows.open_sessions()
        assert bench.live.values == {
            (it.guild_id, it.session.user_id): live_value(it) for it in open_sessions
        }

    return wait


def test_the_mirror_follows_every_commit_and_is_built_once(bench, mirrored):
    for n in range(1, 10):
        bench.write(moved(n * 2_000, n % 3, n % 4 or None))
        mirrored()
    assert bench.live.rebuilds == 1


def test_a_lost_mirror_is_built_again_from_the_ledger(bench, mirrored):
    bench.write(moved(1_000, 5), moved(2_000, 6))
    mirrored()
    bench.live.cursor, bench.live.values = None, {}
    bench.write(moved(9_000, 7))
    mirrored()
    assert len(bench.live.values) == 3
    assert bench.live.rebuilds == 2


def test_a_mirror_that_was_away_is_built_again_and_commits_went_on(bench, mirrored, wait_until):
    bench.write(moved(1_000, 5))
    mirrored()
    bench.live.away = True
    bench.write(moved(2_000, 6))
    bench.settle()
    wait_until(lambda: bench.inside.committer.mirror_stale, "the loss to be seen")
    assert (GUILD, 6) not in bench.live.values
    bench.live.away = False
    bench.write(moved(9_000, 5, None))
    mirrored()
    assert not bench.inside.committer.mirror_stale
    assert list(bench.live.values) == [(GUILD, 6)]


def test_a_ledger_too_busy_to_be_read_for_the_mirror_ends_nothing(bench, mirrored, wait_until):
    def busy():
        raise StorageBusy("locked")

    bench.ledger.on_read = busy
    bench.write(moved(1_000, 5))
    bench.settle()
    wait_until(lambda: bench.inside.committer.commits == 1)
    bench.ledger.on_read = lambda: None
    bench.write(moved(9_000, 6))
    mirrored()


@pytest.fixture
def gap(make_bench):
    """A bench whose first batch holds a gap, and so one message to post."""
    bench = make_bench(rules=Rules(log_channel_id=99))
    bench.write(
        GuildSnapshot(1_000, GUILD, "first", (VoiceState(5, 7),)),
        Heartbeat(2_000, (ShardBeat(0, "first", False, 2_000),)),
        GuildSnapshot(9_000, GUILD, "second", ()),
    )
    return bench


def test_a_message_is_sent_again_until_it_has_an_outcome(gap, wait_until):
    outbox_id = f"gap-{GUILD}-9000"
    gap.start().settle()
    wait_until(lambda: gap.outbox.sent == [outbox_id], "the first sending")
    assert list(gap.ledger.rows.outbox) == [outbox_id]
    gap.write(Heartbeat(20_000))
    gap.settle()
    gap.write(Heartbeat(100_000))
    wait_until(lambda: gap.outbox.sent == [outbox_id] * 2, "the second sending")
    gap.write(OutboxOutcome(100_500, GUILD, outbox_id, ok=True))
    gap.settle()
    gap.write(Heartbeat(200_000))
    gap.settle()
    gap.stop()
    assert gap.outbox.sent == [outbox_id] * 2
    assert gap.ledger.rows.outcomes[outbox_id].ok


def test_a_message_that_met_no_redis_is_sent_with_the_next_commit(gap, wait_until):
    gap.outbox.away = True
    gap.start().settle()
    tries = len(gap.ledger.commits)  # each meets no Redis
    wait_until(lambda: gap.inside.committer.mirror_stale and gap.live.rebuilds == tries, "the loss")
    gap.outbox.away = False
    gap.write(Heartbeat(9_500))
    wait_until(lambda: gap.outbox.sent == [f"gap-{GUILD}-9000"], "the sending")


def test_a_message_left_by_a_run_before_is_sent_after_the_first_commit(gap, wait_until):
    gap.outbox.away = True
    gap.start().settle()
    gap.stop()
    gap.outbox.away = False
    gap.start().write(Heartbeat(9_500))
    wait_until(lambda: gap.outbox.sent == [f"gap-{GUILD}-9000"], "the sending")


def test_what_waits_is_sent_as_the_receiver_gets_on_each_once(make_bench, wait_until, monkeypatch):
    monkeypatch.setattr(committer, "OUTBOX_AT_ONCE", 4)
    monkeypatch.setattr(committer, "OUTBOX_REFILL_AT", 2)
    guilds = [GUILD + (n << 22) for n in range(11)]
    bench = make_bench(rules=Rules(log_channel_id=99))
    bench.write(
        *(GuildSnapshot(1_000, it, "first", (VoiceState(5, 7),)) for it in guilds),
        Heartbeat(2_000, (ShardBeat(0, "first", False, 2_000),)),
        *(GuildSnapshot(9_000, it, "second", ()) for it in guilds),
    )
    bench.start().settle()
    done = 0
    wait_until(lambda: len(bench.outbox.sent) == 4, "the first that are sent")
    while done < len(guilds):
        outbox_id = bench.outbox.sent[done]
        bench.write(OutboxOutcome(9_500, GUILD, outbox_id, ok=True))
        done += 1
        # Half of four are with the receiver at any time, until no more are left.
        wait_until(lambda: len(bench.outbox.sent) >= min(done + 2, len(guilds)), "more")  # noqa: B023 - at once
    bench.settle()
    bench.stop()
    assert sorted(bench.outbox.sent) == sorted(f"gap-{it}-9000" for it in guilds)


def test_the_connections_of_the_heartbeats_are_committed(gap):
    gap.start().settle()
    assert gap.ledger.load_partition().connections == {"first": Connection(0, 2_000, connected=False)}


def test_the_journal_is_trimmed_up_to_what_is_committed_and_now_and_then_only(bench, wait_until):
    for at in (1_000, 30_000, 61_000, 90_000):
        bench.write(Heartbeat(at))
        bench.settle()
    wait_until(lambda: bench.journal.trimmed == ["1-0", "3-0"], "the second trim")
