"""What is appended arrives in the journal once and in order, through every outage."""

import threading

import pytest
from structlog.testing import capture_logs

from engine.domain.ids import partition_of
from engine.domain.inputs import GuildsKnown, Heartbeat
from engine.storage.journal import stream_key
from engine.storage.redis_client import connect
from tests.storage.entries import drained, sent, taken, voice


class TestOrder:
    def test_entries_arrive_in_the_order_of_the_calls(self, make_writer, redis_url, read_all):
        writer = make_writer(redis_url)
        writer.start()
        for at in range(1, 1_001, 2):
            writer.append(voice(at), voice(at + 1))
        writer.close()
        assert read_all(redis_url) == sent(1_000)

    def test_each_entry_goes_to_the_partition_of_its_guild(self, make_writer, redis_url, read_all):
        writer = make_writer(redis_url, partitions=3)
        writer.start()
        guilds = [number << 22 for number in (1, 2, 3, 5, 9)]
        writer.append(*(voice(at, guild) for at, guild in enumerate(guilds)))
        writer.close()
        for partition in range(3):
            ats = [at for _, _, at in read_all(redis_url, partition)]
            assert ats == [at for at, guild in enumerate(guilds) if partition_of(guild, 3) == partition]

    @pytest.mark.parametrize("to_all", [Heartbeat(5), GuildsKnown(5, "c", 0, 1, (1 << 22,))])
    def test_what_concerns_all_goes_to_every_partition_with_a_seq_of_its_own(
        self, make_writer, redis_url, read_all, to_all
    ):
        writer = make_writer(redis_url, partitions=3)
        writer.start()
        writer.append(to_all)
        writer.append(to_all)
        writer.close()
        for partition in range(3):
            assert [seq for _, seq, _ in read_all(redis_url, partition)] == [1, 2]

    def test_each_partitions_entries_are_numbered_without_a_hole(self, make_writer, redis_url, read_all):
        writer = make_writer(redis_url, partitions=3)
        writer.start()
        writer.append(
            voice(1, 1 << 22), voice(2, 2 << 22), Heartbeat(3), voice(4, 1 << 22), voice(5, 4 << 22)
        )
        writer.close()
        assert [read_all(redis_url, partition) for partition in range(3)] == [
            [("life-1", 1, 3)],
            [("life-1", 1, 1), ("life-1", 2, 3), ("life-1", 3, 4), ("life-1", 4, 5)],
            [("life-1", 1, 2), ("life-1", 2, 3)],
        ]
        assert writer.stats().appended == 7

    def test_threads_do_not_tear_one_call_apart(self, make_writer, redis_url, read_all):
        writer = make_writer(redis_url)
        writer.start()

        def append_pairs(start):
            for at in range(start, start + 200, 2):
                writer.append(voice(at), voice(at + 1))

        threads = [threading.Thread(target=append_pairs, args=(number * 1_000,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        writer.close()
        found = read_all(redis_url)
        assert [seq for _, seq, _ in found] == list(range(1, 801))
        assert all(found[i + 1][2] == found[i][2] + 1 for i in range(0, 800, 2))

    def test_an_input_that_cannot_be_encoded_takes_nothing_with_it(self, make_writer, redis_url, read_all):
        writer = make_writer(redis_url)
        writer.start()
        with pytest.raises(OverflowError):
            writer.append(voice(1), voice(2**70))
        writer.append(voice(1))
        writer.close()
        assert read_all(redis_url) == sent(1)


class TestOutage:
    def test_a_server_killed_under_the_writer_costs_nothing(
        self, make_server, make_writer, read_all, eventually
    ):
        server = make_server().start()
        writer = make_writer(server.url)
        writer.start()
        at = 0
        for _ in range(3):
            killer = threading.Timer(0.03, server.kill)
            killer.start()
            while killer.is_alive():
                at += 1
                writer.append(voice(at))
            killer.join()
            eventually(lambda: writer.stats().away_since_at)
            server.start()
        eventually(drained(writer))
        found = read_all(server.url)
        assert taken(found) == sent(at)

    def test_a_lost_reply_brings_the_same_source_and_seq_again(
        self, proxy, make_writer, redis_url, read_all, eventually
    ):
        writer = make_writer(proxy.url)
        writer.start()
        writer.append(voice(1))
        eventually(drained(writer))
        proxy.swallow_replies()
        writer.append(*map(voice, range(2, 6)))
        eventually(lambda: len(read_all(redis_url)) == 5)  # done, but the writer does not know
        proxy.cut()
        writer.append(voice(6))
        eventually(drained(writer))
        found = read_all(redis_url)
        assert taken(found) == sent(6)
        assert [seq for _, seq, _ in found[:9]] == [1, 2, 3, 4, 5, 2, 3, 4, 5]
        assert writer.stats().resent == 4

    @pytest.mark.parametrize("setting", ["maxmemory 1", "min-replicas-to-write 1", "replicaof 127.0.0.1 1"])
    def test_a_server_that_refuses_writes_counts_as_away(
        self, make_server, make_writer, read_all, eventually, setting
    ):
        server = make_server().start()
        writer = make_writer(server.url)
        writer.start()
        writer.append(voice(1))
        eventually(drained(writer))
        name, *values = setting.split()
        with connect(server.url) as client:
            refuse = ("CONFIG", "SET", name, *values) if name != "replicaof" else (name, *values)
            client.execute_command(*refuse)
            writer.append(voice(2), voice(3))
            eventually(lambda: writer.stats().away_since_at)
            writer.append(voice(4))
            client.execute_command(
                *(("CONFIG", "SET", name, 0) if name != "replicaof" else (name, "no", "one"))
            )
        eventually(drained(writer))
        eventually(lambda: writer.stats().connected_since_at)
        assert read_all(server.url) == sent(4)

    def test_a_refusal_in_the_middle_of_a_batch_leaves_nothing_of_it(
        self, make_writer, redis_url, client, read_all, eventually
    ):
        # The second partition's stream cannot be written; the first one's half of the batch must wait for it,
        # or what follows would overtake what was refused.
        client.execute_command("ACL", "SETUSER", "half", "on", ">secret", "~rollcall:journal:0", "+@all")
        url = redis_url.replace("unix://", "unix://half@") + "?password=secret"
        writer = make_writer(url, partitions=2)
        writer.start()
        writer.append(voice(1, 2 << 22), voice(2, 1 << 22), voice(3, 2 << 22))
        eventually(lambda: "Redis at" in writer.stats().away_reason)
        assert client.xlen(stream_key(0)) == 0
        assert "secret" not in writer.stats().away_reason
        client.execute_command("ACL", "SETUSER", "half", "~*")
        eventually(drained(writer))
        client.execute_command("ACL", "DELUSER", "half")
        assert [at for _, _, at in read_all(redis_url, 0)] == [1, 3]

    def test_an_outage_is_told_once_and_its_end_too(self, make_server, make_writer, eventually):
        server = make_server()
        writer = make_writer(server.url)
        with capture_logs() as logs:
            writer.start()
            writer.append(voice(1))
            eventually(lambda: writer.stats().away_reason.startswith("Redis at"))
            server.start()
            eventually(drained(writer))
            eventually(lambda: writer.stats().connected_since_at)
        events = [it["event"] for it in logs if it["event"].startswith("journal")]
        assert events == ["journal_away", "journal_back"]
