"""What is exported, read back as programs read it: an attendance report's columns, the contract's fields."""

import json

import pytest

from tests.cli.exported import table

CLUB = "901"
MEETING = ["first_join", "last_leave", "in_meeting_duration", "counted_duration", "deafened_duration"]


@pytest.mark.usefixtures("evening_held")
def test_participants_have_the_columns_of_an_attendance_report(export):
    rows = table(export("participants", "--event", CLUB))
    day = "2026-03-01T"
    assert [[row["user_id"], *(row[it] for it in MEETING)] for row in rows] == [
        ["1", f"{day}12:00:00.000Z", f"{day}13:00:00.000Z", "3539.500", "3539.500", "0.000"],
        ["2", f"{day}12:00:00.000Z", f"{day}13:00:00.000Z", "3600.000", "1200.000", "2400.000"],
        ["3", f"{day}12:50:00.000Z", f"{day}13:00:00.000Z", "600.000", "600.000", "0.000"],
    ]
    assert [(row["eligible"], row["badge"]) for row in rows] == [
        ("true", f"{day}13:00:00.000Z"),
        ("false", ""),
        ("false", ""),
    ]
    assert rows[1]["why"] == "20 min counted, 30 min needed; not counted: deafened 40 min"
    assert {row["event_id"] for row in rows} == {CLUB}


@pytest.mark.usefixtures("evening_held")
@pytest.mark.parametrize("what", ["participants", "sessions"])
def test_a_name_stands_before_the_id_on_one_line_and_is_no_formula(export, what):
    rows = table(export(what, "--event", CLUB))
    assert {(row["user_name"], row["user_id"]) for row in rows} == {("'=Ann Lee", "1"), ("", "2"), ("", "3")}
    titles = list(rows[0])
    assert titles.index("user_name") + 1 == titles.index("user_id")
    told = json.loads(export(what, "--event", CLUB, "--format", "json"))
    assert {it["userId"]: it["userName"] for it in told} == {"1": "=Ann\aLee", "2": None, "3": None}


@pytest.mark.usefixtures("evening_held")
def test_what_is_counted_and_what_is_not_is_all_the_time_in_the_meeting(export):
    for row in table(export("participants", "--guild", "10")):
        parts = [float(value) for name, value in row.items() if name.endswith("_duration")]
        assert parts[0] == pytest.approx(sum(parts[1:]), abs=1e-9)


@pytest.mark.usefixtures("evening_held")
def test_with_intervals_there_is_a_row_for_each_time_somebody_was_there(export):
    rows = table(export("participants", "--event", CLUB, "--intervals"))
    assert [(row["user_id"], row["duration"], row["counted"], row["channel_id"]) for row in rows] == [
        ("1", "1800.000", "1800.000", "20"),
        ("1", "1739.500", "1739.500", "20"),
        ("2", "3600.000", "1200.000", "20"),
        ("3", "600.000", "600.000", "20"),
    ]
    assert rows[0]["leave_time"] == "2026-03-01T12:30:00.000Z"
    assert rows[1]["join_time"] == "2026-03-01T12:31:00.500Z"
    assert rows[0]["counted_duration"] == rows[1]["counted_duration"] == "3539.500"


@pytest.mark.usefixtures("evening_held")
def test_participants_of_several_events_come_event_by_event(export):
    rows = table(export("participants", "--since", "2026-03-01T12:30Z"))
    assert [(row["event_id"], row["user_id"]) for row in rows] == [
        ("902", "3"),
        (CLUB, "1"),
        (CLUB, "2"),
        (CLUB, "3"),
    ]
    assert rows[0]["last_leave"] == ""
    one = table(export("participants", "--guild", "10", "--user", "3"))
    assert [row["event_id"] for row in one] == ["902", CLUB]
    assert table(export("participants", "--guild", "11")) == []


@pytest.mark.usefixtures("evening_held")
def test_json_has_an_item_a_line_with_the_contracts_names(export):
    out = export("participants", "--event", CLUB, "--format", "json", "--intervals")
    items = json.loads(out)
    assert len(out.splitlines()) == len(items) == 3
    assert items[0]["eventName"] == "=Book club"
    assert items[0]["badgeAwardedAt"] == "2026-03-01T13:00:00.000Z"
    assert (items[1]["inMeetingDuration"], items[1]["duration"]) == (3600.0, 1200.0)
    assert items[1]["reasons"] == {"deafened": 2400.0}
    assert len(items[0]["intervals"]) == 2
    assert export("participants", "--guild", "11", "--format", "json") == "[]\n"


@pytest.mark.usefixtures("evening_held")
def test_a_session_in_csv_has_every_field_of_the_contract(export, rollcall):
    rows = table(export("sessions", "--event", CLUB, "--user", "1"))
    items = json.loads(rollcall("sessions", "--event", CLUB, "--user", "1", "--json")[1])
    assert [row["session_id"] for row in rows] == [item["sessionId"] for item in items]
    spoken = {"relatedSessions": "relatedSessionIds"}
    names = [spoken.get(name, name) for name in items[0]]
    assert sorted(_camel(name) for name in rows[0]) == sorted(names)
    assert rows[0]["event_ids"] == CLUB
    assert (rows[0]["is_event_linked"], rows[0]["previous_id"]) == ("true", "")
    assert rows[0]["duration"] == "1799.500"


def _camel(name):
    first, *rest = name.split("_")
    return first + "".join(it.capitalize() for it in rest)


@pytest.mark.usefixtures("evening_held")
@pytest.mark.parametrize("what", ["participants", "sessions"])
def test_guilds_and_channels_go_by_their_names_too(export, what):
    by_name = export(what, "--guild", "lighthouse", "--channel", "Stage")
    assert by_name == export(what, "--guild", "10", "--channel", "21")
    assert {row["user_id"] for row in table(by_name)} == {"3"}


@pytest.mark.usefixtures("evening_held")
def test_sessions_in_json_are_those_of_the_list(export, rollcall):
    assert export("sessions", "--format", "json") == rollcall("sessions", "--json")[1]


@pytest.mark.usefixtures("evening_held")
def test_sessions_of_an_unknown_id_are_none_and_the_id_is_named(rollcall, export, folder):
    told = 0, "", "no session of guild 404 in the ledger\n"
    assert rollcall("export", "sessions", "--guild", "404", "--output", "out.csv") == told
    code, out, err = rollcall("export", "sessions", "--guild", "404")
    assert (code, table(out), err) == (0, [], told[2])
    assert (folder / "out.csv").read_bytes().decode() == out
    assert out.startswith("session_id,")
    assert rollcall("export", "sessions", "--guild", "404", "--format", "json") == (0, "[]\n", told[2])
    assert export("sessions", "--event", "903", "--format", "json") == "[]\n"  # nobody came to it


@pytest.mark.usefixtures("evening_held")
def test_participants_of_an_unknown_event_are_refused_and_nothing_is_written(rollcall, folder):
    arguments, refused = ["participants", "--event", "404"], "rollcall: no event has the id 404\n"
    assert rollcall("export", *arguments, "--output", "out.csv") == (1, "", refused)
    assert rollcall("export", *arguments) == (1, "", refused)
    assert {it.name for it in folder.iterdir()} == {"config.toml", "d"}
