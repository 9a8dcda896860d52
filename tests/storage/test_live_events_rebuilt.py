"""The keys of active events are made anew from the ledger, whatever stood there."""

import pytest

from engine.domain.event_effects import SaveEvent
from engine.domain.event_views import event_json
from engine.storage.live_events import active_key, participant_key
from tests.storage.live_effects import DECK, GUILD, OTHER, PIER, event, follow, keys, participant


class TestRebuild:
    def test_only_what_the_ledger_knows_is_left(self, commit, live, client):
        commit(SaveEvent(event(1, (PIER, DECK))), SaveEvent(event(2, guild_id=OTHER)))
        commit(follow(5, 6), follow(7, event_id=2, guild_id=OTHER))
        live.rebuild("9-0", [], [(event(1, (DECK,)), [participant(6)])])
        assert live.active_events(GUILD, PIER) == []
        assert live.active_events(GUILD, DECK) == live.active_events(GUILD) == [event_json(event(1, (DECK,)))]
        assert live.active_events(OTHER) == []
        assert (list(live.participants(1)), live.participants(2)) == ([6], {})
        live.rebuild("10-0", [])
        assert keys(client) == set()

    def test_several_events_of_a_guild_arrive(self, live):
        active = [(event(it), [participant(it)]) for it in (1, 2, 3)]
        live.rebuild("1-0", [], iter(active))
        assert [it["eventId"] for it in live.active_events(GUILD, PIER)] == ["1", "2", "3"]
        assert list(live.participants(3)) == [3]

    def test_other_partitions_are_left_alone(self, redis_url, make_live):
        first, second = (make_live(redis_url, partition, partitions=2) for partition in (0, 1))
        first.rebuild("0-0", [], [(event(2, guild_id=OTHER), [participant(5)])])
        second.rebuild("0-0", [], [(event(1), [participant(6)])])
        first.rebuild("1-0", [])
        for reader in (first, second):
            assert reader.active_events(OTHER) == []
            assert [it["eventId"] for it in reader.active_events(GUILD)] == ["1"]
        assert (first.participants(2), list(first.participants(1))) == ({}, [6])

    def test_a_life_with_other_partitions_leaves_nothing_behind(self, redis_url, make_live, client):
        for partition, guild_id in ((0, OTHER), (1, GUILD)):
            before = make_live(redis_url, partition, partitions=2)
            before.rebuild("0-0", [], [(event(partition, guild_id=guild_id), [participant(5)])])
        make_live(redis_url).rebuild("0-0", [])
        assert keys(client) == {"rollcall:live:cursor:1"}

    def test_a_rebuild_that_broke_off_leaves_nothing_that_the_next_cannot_find(self, live, client):
        def breaks_off():
            yield event(1, (PIER, DECK)), [participant(it) for it in range(600_000, 602_500)]
            yield from ((event(it), [participant(5)]) for it in range(2, 400))
            raise ConnectionError("gone")

        with pytest.raises(ConnectionError):
            live.rebuild("1-0", [], breaks_off())
        assert len(keys(client)) > 2_500
        assert live.active_events(GUILD) is None
        live.rebuild("1-0", [])
        assert keys(client) == set()

    def test_a_foreign_value_in_the_way_is_replaced(self, live, client):
        for key in (active_key(GUILD), active_key(GUILD, PIER)):
            client.set(key, "foreign")
        client.hset(participant_key(1, 5), "foreign", "x")
        with pytest.raises(ConnectionError, match="WRONGTYPE"):
            live.mirror("0-0", "1-0", [SaveEvent(event()), follow(5)])
        live.rebuild("1-0", [], [(event(), [participant(5)])])
        assert [it["eventId"] for it in live.active_events(GUILD, PIER)] == ["1"]
        assert list(live.participants(1)) == [5]
