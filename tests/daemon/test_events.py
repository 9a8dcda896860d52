"""Events from their announcement to the badges and after: everything told of them is what really happened."""

import csv
from collections import Counter

import pytest

from engine.domain.event_inputs import EventInput
from tests.daemon.event_truth import EventTruth
from tests.daemon.live_keys import active_key, participant_key
from tests.daemon.replay import differences, inputs, replay, tables_of, watched
from tests.daemon.truth import Comparison, rows_of

NEW_TABLES = ("event", "participant", "eventsession", "badge", "outbox")


def test_every_time_told_is_the_true_one(held):
    guild = held.guild
    for event in held.events.values():
        truth = EventTruth(held.truth, event, guild.held, guild.afk).compare(event["participants"])
        assert truth.problems == []
        print(f"{event['name']}: {truth.compared} times, {truth.furthest_ms} ms off at most")
    rows = rows_of(held.recording.database)
    assert Comparison(rows, held.truth, watched(held.recording.records)).problems == []


def test_the_evening_had_all_there_is_to_tell(held):
    """Else the comparison says little."""
    told = [it for event in held.events.values() for it in event["participants"]]
    assert {reason for it in told for reason in it["reasons"]} >= {
        *("deafened", "missing_role", "muted", "afk")
    }
    assert {it["eligible"] for it in told} == {True, False}
    assert {event["source"] for event in held.events.values()} == {"api", "discord"}
    assert {event["status"] for event in held.events.values()} == {"ended"}
    # Somebody just looked in.
    edda = next(it for it in told if it["userId"] == held.programme.edda)
    assert (edda["duration"], edda["reasons"], edda["eligible"]) == (0, {}, False)
    asked = Counter(type(it).__name__ for it in inputs(held.recording.records) if isinstance(it, EventInput))
    assert asked.keys() >= {"CreateEvent", "ChangeEvent", "StartEvent", "StopEvent", "CancelEvent"}
    assert asked.keys() >= {"RescoreEvent", "ScheduledEventChanged"}


def test_an_event_begins_and_ends_when_it_was_to(held):
    concert = held.events[held.programme.concert]
    assert (concert["startedAt"], concert["endedAt"]) == (concert["startsAt"], concert["endsAt"])
    assert concert["settled"]


@pytest.mark.parametrize("batch_max_entries", [1, 500])
def test_the_journal_taken_again_gives_the_same_rows(held, tmp_path, batch_max_entries):
    again = tables_of(replay(held.recording, tmp_path / "again.db", batch_max_entries))
    kept = tables_of(held.recording.database)
    assert differences(kept, again) == []
    assert all(kept[name] for name in NEW_TABLES)


def test_what_runs_and_what_is_written_never_differ(held):
    assert held.metrics["rollcall_attendance_drift_seconds"] == 0
    assert held.metrics["rollcall_attendance_check_failures_total"] == 0
    assert held.metrics["rollcall_attendance_checks_total"] >= len(held.events)


class TestLiveState:
    @pytest.mark.parametrize("moment", ["begin", "go_on"])
    def test_an_active_event_stands_under_the_seeds_keys(self, held, moment):
        keys, guild_id = held.keys[moment], held.guild.id
        for event_id in held.events:
            shown = keys[active_key(guild_id)][event_id]
            assert (shown["eventId"], shown["status"]) == (event_id, "active")
            for channel_id in shown["voiceChannelIds"]:
                assert keys[active_key(guild_id, channel_id)][event_id] == shown
        assert held.programme.called_off not in keys[active_key(guild_id)]

    def test_a_changed_event_stands_under_its_new_channel_too(self, held):
        side = active_key(held.guild.id, held.programme.side)
        assert side not in held.keys["begin"]
        assert held.programme.concert in held.keys["go_on"][side]

    def test_its_participants_have_keys(self, held):
        people, concert = held.programme, held.programme.concert
        keys = held.keys["begin"]
        ben, ada = (keys[participant_key(concert, it)] for it in (people.ben, people.ada))
        assert (ben["userId"], ben["endDate"], ben["duration"]) == (people.ben, None, 0)
        assert ben["startDate"] == held.events[concert]["startedAt"]
        assert ada["startDate"] == ada["endDate"]  # without the role nothing counts
        deaf = held.keys["go_on"][participant_key(concert, people.ben)]
        assert deaf["startDate"] > ben["startDate"]

    @pytest.mark.parametrize("moment", ["announce", "end", "look_back"])
    def test_before_and_after_there_is_nothing(self, held, moment):
        assert held.keys[moment] == {}


class TestBadges:
    def test_who_is_eligible_has_one(self, held):
        for event in held.events.values():
            eligible = {it["userId"] for it in event["participants"] if it["eligible"]}
            assert {it["userId"] for it in event["badges"]} == eligible
            assert {it["status"] for it in event["badges"]} == {"delivered"}

    def test_each_is_one_row_of_the_file(self, held):
        rows = list(csv.DictReader(held.badges.splitlines()))
        given = [
            (event_id, it["userId"]) for event_id, event in held.events.items() for it in event["badges"]
        ]
        assert Counter((it["event_id"], it["user_id"]) for it in rows) == Counter(given)
        assert len({it["badge_id"] for it in rows}) == len(rows) > 0

    def test_a_change_after_them_gives_what_is_newly_earned(self, held):
        assert held.programme.newly_eligible >= 1
        rows = list(csv.DictReader(held.badges.splitlines()))
        late = rows[-held.programme.newly_eligible :]
        assert held.programme.ada in {it["user_id"] for it in late}
        assert {it["event_id"] for it in late} == {held.programme.concert}


def test_a_stop_in_order_ends_with_0(held):
    assert held.exit_code == 0
