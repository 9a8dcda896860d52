"""Active events and their participants in Redis, under the keys that seed 002 names."""

import json

import pytest

from engine.domain.effects import ForgetMember, SaveSession, SaveSpan
from engine.domain.event_effects import DropParticipant, SaveEvent, SaveParticipants
from engine.domain.event_views import event_json, followed_json
from engine.domain.events import EventStatus
from engine.domain.sessions import Session
from engine.storage.live import live_value
from engine.storage.live_events import (
    FIELDS_PER_COMMAND,
    EventsMirror,
    active_key,
    participant_key,
    users_key,
)
from engine.storage.protocols import StorageError
from engine.storage.redis_client import Wire
from tests.storage.live_effects import BUNK, DECK, GUILD, PIER, ended, event, follow, keys, participant


def transaction(client, act):
    """Return the names of the commands that the server was sent while ``act`` ran."""
    with client.monitor() as monitor:
        act()
        client.echo("done")
        names = []
        while (told := monitor.next_command())["command"] != "ECHO done":
            if told["client_type"] != "lua":
                names.append(told["command"].split()[0])
    return names


class TestSeedKeys:
    def test_an_active_event_stands_under_its_guild_and_each_of_its_channels(self, commit, client):
        it = event(channels=(PIER, DECK))
        commit(SaveEvent(it))
        for key in (
            f"/events/active?guildId={GUILD}",
            f"/events/active?guildId={GUILD}&voiceChannelId={PIER}",
            f"/events/active?guildId={GUILD}&voiceChannelId={DECK}",
        ):
            ((event_id, value),) = client.hgetall(key).items()
            assert (event_id, json.loads(value)) == (b"1", event_json(it))

    def test_a_participant_is_kept_as_the_seed_caches_them(self, commit, client):
        commit(SaveEvent(event()), follow(5, counted_ms=1_500, end_at=4_000))
        assert json.loads(client.get("processor_/events/1/participants/5")) == {
            "userId": "5",
            "startDate": "1970-01-01T00:00:01.000Z",
            "endDate": "1970-01-01T00:00:04.000Z",
            "duration": 1.5,
        }

    def test_who_was_forgotten_reads_so_and_comes_and_goes_like_anybody(self, commit, live, client):
        commit(SaveEvent(event()), follow(-3, 5))
        key = "processor_/events/1/participants/forgotten-3"
        assert json.loads(client.get(key))["userId"] == "forgotten-3"
        assert live.participants(1).keys() == {-3, 5}
        commit(SaveParticipants(GUILD, 1, (), whole=True), follow(5))
        assert (live.participants(1).keys(), client.exists(key)) == ({5}, 0)

    def test_the_end_of_an_event_clears_the_cache(self, commit, client):
        commit(SaveEvent(event(channels=(PIER, DECK))), follow(5, 6, 7))
        assert len(keys(client)) == 9
        commit(SaveEvent(ended(event(channels=(PIER, DECK)))))
        assert keys(client) == set()

    @pytest.mark.parametrize("status", [EventStatus.SCHEDULED, EventStatus.CANCELLED])
    def test_an_event_that_is_not_active_leaves_no_key(self, commit, client, status):
        commit(SaveEvent(event(status=status)))
        assert keys(client) == set()


class TestMirror:
    def test_a_channel_that_the_event_no_longer_has_forgets_it(self, commit, live):
        commit(SaveEvent(event(channels=(PIER, DECK))))
        commit(SaveEvent(event(channels=(DECK, BUNK))))
        found = {it: live.active_events(GUILD, it) for it in (PIER, DECK, BUNK)}
        now = [event_json(event(channels=(DECK, BUNK)))]
        assert found == {PIER: [], DECK: now, BUNK: now}

    def test_several_events_share_a_channel(self, commit, live):
        commit(SaveEvent(event(2)), SaveEvent(event(10)))
        assert [it["eventId"] for it in live.active_events(GUILD, PIER)] == ["2", "10"]
        commit(SaveEvent(ended(event(2))))
        assert [it["eventId"] for it in live.active_events(GUILD, PIER)] == ["10"]
        assert [it["eventId"] for it in live.active_events(GUILD)] == ["10"]

    def test_the_last_word_of_a_commit_on_a_participant_wins(self, commit, live):
        gone = DropParticipant(GUILD, 1, 5)
        commit(SaveEvent(event()), follow(5, 6), follow(6, counted_ms=2_000), gone)
        assert live.participants(1) == {6: followed_json(participant(6, 2_000))}
        commit(gone, follow(5), DropParticipant(GUILD, 1, 6))
        assert live.participants(1) == {5: followed_json(participant(5))}

    def test_an_event_that_began_and_ended_in_one_commit_leaves_no_key(self, commit, client):
        commit(SaveEvent(event()), follow(5), SaveEvent(ended(event())))
        assert keys(client) == set()

    def test_rows_that_are_all_there_is_leave_nobody_else(self, commit, live):
        """Where an event's channels change, some were never in it: only the whole says who."""
        commit(SaveEvent(event()), follow(5, 6))
        commit(SaveParticipants(GUILD, 1, (participant(6),), whole=True), follow(6, 7))
        assert sorted(live.participants(1)) == [6, 7]
        commit(SaveParticipants(GUILD, 1, (participant(8),)))
        assert sorted(live.participants(1)) == [6, 7]

    def test_events_sessions_and_the_cursor_are_one_transaction(self, live, client):
        session = Session(5, PIER, 1_000, 0, 1_000, 1_000)
        effects = [SaveSession(GUILD, session, 1_000), SaveEvent(event()), follow(5)]
        names = transaction(client, lambda: live.mirror("0-0", "1-0", effects))
        begins, ends = names.index("MULTI"), names.index("EXEC")
        assert set(names[:begins]) <= {"SSCAN", "PING", "SELECT"}
        assert sorted(names[begins + 1 : ends]) == sorted(
            ["HSET", *["HSET", "SADD", "HSET", "HSET"], *["SADD", "MSET"], "EVAL"]
        )

    def test_a_commit_without_events_sends_nothing_more(self, live, client):
        session = Session(5, PIER, 1_000, 0, 1_000, 1_000)
        effects = [SaveSession(GUILD, session, 1_000), SaveSpan(GUILD, 5, 1_000, 1_000, 1_500, 0)]
        names = transaction(client, lambda: live.mirror("0-0", "1-0", effects))
        assert names == ["MULTI", "HSET", "EVAL", "EXEC"]

    def test_thousands_come_and_go_in_commands_of_bounded_size(self, live, redis_url, client):
        users = range(1_000_000, 1_002_500)
        wire = Wire(redis_url)
        mirror = EventsMirror(wire, 0, 1)
        try:
            come, go = [SaveEvent(event()), follow(*users)], [SaveEvent(ended(event()))]
            for effects, present in ((come, 2_500), (go, 0)):
                commands = list(mirror.commands(effects))
                assert max(map(len, commands)) <= 2 * FIELDS_PER_COMMAND + 2
                live.mirror("", "", effects)
                assert len(live.participants(1)) == present
        finally:
            wire.close()
        assert keys(client) == set()

    def test_who_is_to_be_forgotten_is_in_no_trusted_mirror(self, live):
        assert live.mirror("0-0", "1-0", [SaveEvent(event()), follow(5)])
        assert not live.mirror("1-0", "2-0", [ForgetMember(5, 2_000)])
        assert live.active_events(GUILD) is None
        live.rebuild("2-0", [], [(event(), [])])
        assert live.participants(1) == {}
        assert live.mirror("2-0", "3-0", [])


class TestReaders:
    def test_a_redis_that_is_away_has_no_answer(self, make_live, tmp_path):
        live = make_live(f"unix://{tmp_path}/nobody")
        assert live.active_events(GUILD) is None
        with pytest.raises(ConnectionError):
            live.participants(1)

    def test_a_redis_that_was_emptied_has_no_answer(self, commit, live, client):
        commit(SaveEvent(event()))
        client.flushall()
        assert live.active_events(GUILD) is None
        assert live.active_events(GUILD, PIER) is None

    def test_a_mirror_that_is_being_rebuilt_has_no_answer(self, live, redis_url, make_live):
        reader, answers = make_live(redis_url), []

        def sessions():
            answers.append(reader.active_events(GUILD))
            yield GUILD, [(5, live_value(Session(5, PIER, 1_000, 0, 1_000, 1_000)))]

        def active():
            answers.append(reader.active_events(GUILD))
            yield event(), []

        live.rebuild("1-0", sessions(), active())
        assert answers == [None, None]
        assert reader.active_events(GUILD) == [event_json(event())]

    @pytest.mark.parametrize(
        "command",
        [
            ("SET", active_key(GUILD), "text"),
            ("HSET", active_key(GUILD), "1", "no json"),
            ("HSET", active_key(GUILD), "1", "[]"),
            ("HSET", active_key(GUILD), "one", "{}"),
        ],
    )
    def test_a_foreign_value_is_told_by_its_key(self, live, client, command):
        client.execute_command(*command)
        with pytest.raises(StorageError) as told:
            live.active_events(GUILD)
        assert active_key(GUILD) in str(told.value)
        assert "delete the key" in str(told.value)
        assert "\n" not in str(told.value)

    def test_a_foreign_participant_is_told_by_its_key(self, commit, live, client):
        commit(SaveEvent(event()), follow(5))
        client.set(participant_key(1, 5), "noise")
        with pytest.raises(StorageError, match=participant_key(1, 5)):
            live.participants(1)
        client.sadd(users_key(1), "somebody")
        with pytest.raises(StorageError, match=users_key(1)):
            live.participants(1)
