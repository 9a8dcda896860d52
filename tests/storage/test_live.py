import threading

import pytest

from engine.domain.effects import DropSession, SaveGuild, SaveSession, SaveSpan, Status
from engine.domain.sessions import Session
from engine.storage.live import LiveSession, guild_key, live_value
from engine.storage.live_events import INDEX
from engine.storage.protocols import StorageError

GUILD, OTHER = 1 << 22, 2 << 22


def session(user_id, channel_id=8, joined_at=1_000):
    return Session(user_id, channel_id, joined_at, 3, joined_at, joined_at)


def opened(user_id, guild_id=GUILD, **fields):
    return SaveSession(guild_id, session(user_id, **fields), 1_000)


def closed(user_id, guild_id=GUILD):
    return SaveSession(guild_id, session(user_id), 2_000, left_at=2_000, status=Status.COMPLETED)


class TestMirror:
    def test_open_sessions_are_there_and_closed_ones_are_not(self, live):
        assert live.mirror("0-0", "1-0", [opened(1), opened(2), opened(3), opened(4, OTHER)])
        assert live.mirror("1-0", "2-0", [closed(2), DropSession(GUILD, 3, 1_000, at=2_000)])
        assert live.read(GUILD) == {1: LiveSession(8, 1_000, 3, 1_000)}
        assert live.read(OTHER) == {4: LiveSession(8, 1_000, 3, 1_000)}
        assert live.cursor() == "2-0"

    def test_a_move_within_one_commit_leaves_the_new_session(self, live):
        live.mirror("0-0", "1-0", [opened(1), closed(1), opened(1, channel_id=9, joined_at=2_000)])
        assert live.read(GUILD)[1].channel_id == 9
        live.mirror("1-0", "2-0", [opened(1), closed(1)])
        assert live.read(GUILD) == {}

    def test_the_last_one_out_takes_the_guild_along(self, live, client):
        live.mirror("0-0", "1-0", [opened(1)])
        assert list(live.guilds()) == [GUILD]
        live.mirror("1-0", "2-0", [closed(1)])
        assert list(live.guilds()) == []
        assert not client.exists(guild_key(GUILD))

    def test_effects_of_other_kinds_only_move_the_cursor(self, live):
        effects = [
            SaveSpan(GUILD, 1, 1_000, 1_000, 1_500, 0),
            SaveGuild(GUILD, "name", None, None, None, None, present=True, own_user_id=None, at=1),
        ]
        assert live.mirror("0-0", "1-0", effects)
        assert live.mirror("1-0", "2-0", [])
        assert (list(live.guilds()), live.cursor()) == ([], "2-0")

    @pytest.mark.parametrize(
        "loss", ["FLUSHALL", "DEL rollcall:live:cursor:0", "SET rollcall:live:cursor:0 7-7"]
    )
    def test_a_mirror_that_does_not_follow_is_noticed_until_it_is_rebuilt(
        self, live, client, redis_url, make_live, loss
    ):
        assert live.mirror("0-0", "1-0", [opened(1)])
        client.execute_command(*loss.split())
        assert not live.mirror("1-0", "2-0", [opened(2)])
        # Nor may a next life take it for whole, should this one end before its rebuild.
        assert not make_live(redis_url).mirror("2-0", "3-0", [])
        live.rebuild("3-0", [(GUILD, [(1, live_value(session(1))), (2, live_value(session(2)))])])
        assert live.mirror("3-0", "4-0", [opened(3)])
        assert sorted(live.read(GUILD)) == [1, 2, 3]

    def test_a_lost_reply_is_no_false_promise(self, proxy, make_live, client, eventually):
        live = make_live(proxy.url)
        live.rebuild("0-0", [])
        proxy.swallow_replies()

        def cut_once_done():
            eventually(lambda: client.exists(guild_key(GUILD)))
            proxy.cut()

        cutter = threading.Thread(target=cut_once_done)
        cutter.start()
        with pytest.raises(ConnectionError):
            live.mirror("0-0", "1-0", [opened(1)])
        cutter.join()
        assert not live.mirror("0-0", "1-0", [opened(1)])

    def test_an_absent_server_is_a_connection_error(self, make_live, tmp_path):
        live = make_live(f"unix://{tmp_path}/nobody")
        for call in (lambda: live.mirror("0-0", "1-0", []), lambda: live.rebuild("0-0", []), live.cursor):
            with pytest.raises(ConnectionError):
                call()


class TestRebuild:
    def test_what_the_ledger_does_not_know_goes(self, live):
        live.mirror("0-0", "1-0", [opened(1), opened(2, OTHER)])
        live.rebuild("5-0", [(GUILD, [(9, live_value(session(9)))])])
        assert {guild_id: sorted(live.read(guild_id)) for guild_id in live.guilds()} == {GUILD: [9]}
        assert live.cursor() == "5-0"

    def test_other_partitions_and_other_keys_are_left_alone(self, redis_url, make_live, client):
        first, second = (make_live(redis_url, partition, partitions=2) for partition in (0, 1))
        first.rebuild("0-0", [(OTHER, [(1, live_value(session(1)))])])
        second.rebuild("0-0", [(GUILD, [(2, live_value(session(2)))])])
        client.set("rollcall:else", "x")
        first.rebuild("1-0", [])
        assert (list(first.guilds()), list(second.guilds())) == ([], [GUILD])
        assert (first.cursor(), second.cursor()) == ("1-0", "0-0")
        assert client.get("rollcall:else") == b"x"

    def test_keys_and_fields_that_are_no_guilds_and_no_events_are_left_alone(self, live, client):
        client.set(f"{guild_key(GUILD)}-copy", "x")
        client.hset(INDEX, "foo", "1")
        live.mirror("0-0", "1-0", [opened(1)])
        live.rebuild("5-0", [(GUILD, [(9, live_value(session(9)))])])
        assert list(live.guilds()) == [GUILD]
        assert sorted(live.read(GUILD)) == [9]
        assert client.get(f"{guild_key(GUILD)}-copy") == b"x"
        assert client.hgetall(INDEX) == {b"foo": b"1"}

    def test_many_guilds_and_a_large_one_arrive_whole(self, live):
        value = live_value(session(1))
        sessions = [(number << 22, [(1, value)]) for number in range(1, 1_200)]
        large = (5_000 << 22, [(user_id, value) for user_id in range(2_500)])
        live.rebuild("1-0", iter([*sessions, large]))
        assert len(list(live.guilds())) == 1_200
        assert len(live.read(5_000 << 22)) == 2_500

    def test_a_flush_under_a_rebuild_is_noticed(self, live, client):
        def sessions():
            yield GUILD, [(1, live_value(session(1)))]
            client.flushall()

        with pytest.raises(ConnectionError, match="write it again"):
            live.rebuild("1-0", sessions())
        assert not live.mirror("1-0", "2-0", [])

    def test_a_foreign_value_is_told_by_its_key(self, live, client):
        client.hset(guild_key(GUILD), "1", "foreign")
        with pytest.raises(StorageError, match=guild_key(GUILD)):
            live.read(GUILD)
