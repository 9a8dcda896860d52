"""What the heartbeats say of one shard."""

import pytest

from bot_adapter.connection import STALL_MS, Connection
from engine.domain.inputs import ShardBeat


@pytest.fixture
def connection():
    return Connection("life", 3)


def test_before_the_first_ready_there_is_nothing_to_say(connection):
    assert connection.beat(10) is None
    assert not connection.lose(11)


def test_while_connected_it_is_alive_now(connection):
    connection.begin()
    assert connection.beat(10) == ShardBeat(3, "life/3/1", connected=True, alive_at=10)


def test_after_a_loss_it_was_alive_until_then(connection):
    connection.begin()
    assert connection.lose(20)
    assert connection.beat(30) == ShardBeat(3, "life/3/1", connected=False, alive_at=20)


def test_what_a_resume_replays_counts_from_the_loss_until_resumed(connection):
    connection.begin()
    connection.lose(20)
    assert connection.replayed_from is None
    connection.replay()
    assert connection.replayed_from == 20
    connection.resume()
    assert connection.replayed_from is None
    assert connection.beat(40) == ShardBeat(3, "life/3/1", connected=True, alive_at=40)


def test_a_replay_cut_short_still_counts_from_the_first_loss(connection):
    connection.begin()
    connection.lose(20)
    connection.replay()
    assert not connection.lose(25)
    connection.replay()
    assert connection.replayed_from == 20


def test_what_was_read_and_is_gone_again_was_missed_until_the_next_session(connection):
    connection.begin()
    connection.doubt(20)
    assert connection.beat(30) == ShardBeat(3, "life/3/1", connected=False, alive_at=20)
    assert not connection.lose(31), "it is lost by now"
    connection.begin()
    assert connection.beat(40) == ShardBeat(3, "life/3/2", connected=True, alive_at=40)


@pytest.mark.parametrize(("since", "alive_at"), [(10, 10), (25, 20)])
def test_a_doubt_takes_no_loss_back(connection, since, alive_at):
    connection.begin()
    connection.lose(20)
    connection.doubt(since)
    assert connection.beat(30).alive_at == alive_at


def test_a_new_session_has_a_new_name_and_replays_nothing(connection):
    connection.begin()
    connection.lose(20)
    connection.replay()
    connection.begin()
    assert connection.name == "life/3/2"
    assert connection.replayed_from is None


def test_what_is_read_after_a_stall_may_have_been_sent_since_its_beginning(connection):
    connection.begin()
    assert not connection.awake(10)
    assert not connection.awake(10 + STALL_MS - 1)
    assert connection.awake(5 * STALL_MS)
    assert connection.replayed_from == 9 + STALL_MS
    assert connection.beat(5 * STALL_MS) == ShardBeat(3, "life/3/1", connected=True, alive_at=9 + STALL_MS)
    connection.catch_up()
    assert not connection.awake(5 * STALL_MS + 1)
    assert connection.replayed_from is None


def test_a_loss_during_a_stall_reaches_back_to_its_beginning(connection):
    connection.begin()
    connection.awake(10)
    connection.awake(5 * STALL_MS)
    connection.awake(9 * STALL_MS)
    assert connection.lose(9 * STALL_MS + 1)
    connection.replay()
    assert connection.replayed_from == 10
    connection.resume()
    assert connection.replayed_from is None


def test_who_reads_nothing_while_there_is_no_connection_misses_nothing_more(connection):
    connection.begin()
    connection.awake(10)
    connection.lose(20)
    assert not connection.awake(5 * STALL_MS)
    connection.begin()
    assert connection.replayed_from is None


def test_two_lives_and_two_shards_never_share_a_name():
    names = set()
    for source in ("a", "b"):
        for shard_id in (0, 1):
            connection = Connection(source, shard_id)
            connection.begin()
            names.add(connection.name)
    assert len(names) == 4
