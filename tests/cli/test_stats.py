import json

import pytest

pytestmark = pytest.mark.usefixtures("evening_held", "_in_utc")


def stats(rollcall, *arguments):
    code, out, err = rollcall("stats", *arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_an_event_has_statistics(rollcall):
    told = stats(rollcall, "event", "901")
    assert (told["participants"], told["eligible"], told["peakConcurrency"]) == (3, 1, 3)
    assert (told["countedSeconds"], told["reasons"]) == (5339.5, {"deafened": 2400.0})
    assert stats(rollcall, "event", "last")["eventId"] == "902"


def test_a_user_has_statistics_in_one_guild_or_in_all(rollcall):
    told = stats(rollcall, "user", "1")
    assert (told["eventsAttended"], told["badges"], told["countedSeconds"]) == (1, 1, 3539.5)
    assert stats(rollcall, "user", "1", "--guild", "lighthouse")["countedSeconds"] == 3539.5
    assert stats(rollcall, "user", "1", "--guild", "11")["countedSeconds"] == 0.0


def test_guilds_and_channels_are_found_by_their_names(rollcall):
    assert stats(rollcall, "guild", "Lighthouse") == stats(rollcall, "guild", "10")
    assert stats(rollcall, "channel", "Stage", "--guild", "10") == stats(rollcall, "channel", "21")
    assert stats(rollcall, "channel", "21")["events"]["active"] == 1


def test_people_get_readable_times(rollcall):
    lines = rollcall("stats", "event", "901")[1].splitlines()
    assert "countedSeconds: 1h 28m 59s" in lines
    assert "length: 1h 00m 00s" in lines
    assert "peakAt: 2026-03-01 12:50:00" in lines
    assert "  deafened: 40m 00s" in lines


@pytest.mark.parametrize("kind", ["event", "guild", "channel"])
def test_what_is_not_known_is_named(rollcall, kind):
    assert rollcall("stats", kind, "404") == (1, "", f"rollcall: no {kind} has the id 404\n")


def test_a_channel_by_its_name_needs_its_guild(rollcall):
    code, out, err = rollcall("stats", "channel", "Stage")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "add --guild" in err
