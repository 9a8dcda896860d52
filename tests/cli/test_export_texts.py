"""How names and times are written in exports, so that every program reads them as they were."""

import json
from datetime import datetime

import pytest

from tests.cli.exported import attended, session, table


def ms(text):
    return int(datetime.fromisoformat(text).timestamp() * 1000)


# Berlin left summer time on 2026-10-25: at 03:00 (+02:00) it was 02:00 (+01:00) again.
BEFORE, AFTER = "2026-10-25T02:30:00.250+02:00", "2026-10-25T02:30:00.250+01:00"


def test_a_time_zone_is_written_with_its_offset_through_the_change_of_summer_time(export, write):
    write(session(1, ms(BEFORE), ms(AFTER)))
    [row] = table(export("sessions", "--tz", "Europe/Berlin"))
    assert (row["join_time"], row["leave_time"], row["duration"]) == (BEFORE, AFTER, "3600.000")
    [item] = json.loads(export("sessions", "--tz", "Europe/Berlin", "--format", "json"))
    assert (item["joinTime"], item["leaveTime"], item["createdAt"]) == (BEFORE, AFTER, BEFORE)
    [row] = table(export("sessions"))
    assert row["join_time"] == "2026-10-25T00:30:00.250Z"


def test_times_nested_in_an_item_are_in_the_zone_too(export, write):
    write(
        session(1, ms(BEFORE), ms(BEFORE) + 2000),
        session(1, ms(BEFORE) + 2000, ms(AFTER), chain_at=ms(BEFORE), previous_at=ms(BEFORE)),
    )
    later, first = json.loads(export("sessions", "--tz", "Asia/Kolkata", "--format", "json"))
    assert later["joinTime"] == "2026-10-25T06:00:02.250+05:30"
    for item, other in ((later, first), (first, later)):
        [related] = item["relatedSessions"]
        assert [related[it] for it in ("joinTime", "leaveTime")] == [other["joinTime"], other["leaveTime"]]


def test_a_machine_without_time_zones_is_told_what_to_install(rollcall, config, monkeypatch):
    monkeypatch.setattr("engine.cli.zones.ZoneInfo", _no_zone)
    monkeypatch.setattr("engine.cli.zones.available_timezones", set)
    code, _, err = rollcall("export", "sessions", "--tz", "Europe/Berlin")
    assert (code, err.count("\n")) == (2, 1)
    assert "install the package tzdata" in err


def _no_zone(name):
    raise KeyError(name)


EVIL = [
    '=HYPERLINK("http://example.org")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\uff1d1+1",
    'a "quoted", name',
    "two\r\nlines",
    "caf\u00e9 \U0001f389",
]


@pytest.fixture
def evil(write):
    """Events of names that a spreadsheet or a parser might stumble over, each with a participant."""
    write(*(effect for number, name in enumerate(EVIL, 1) for effect in attended(number, name)))


@pytest.mark.usefixtures("evil")
def test_no_cell_can_be_taken_for_a_formula_and_every_name_comes_back(export):
    names = [row["event_name"] for row in table(export("participants", "--guild", "10"))][::-1]
    assert names[:6] == [f"'{it}".replace("\t", " ") for it in EVIL[:6]]
    assert names[6:] == ['a "quoted", name', "two lines", "caf\u00e9 \U0001f389"]


@pytest.mark.usefixtures("evil")
def test_json_keeps_names_as_they_are(export):
    items = json.loads(export("participants", "--guild", "10", "--format", "json"))
    assert [item["eventName"] for item in items][::-1] == EVIL


@pytest.mark.usefixtures("evil")
def test_csv_ends_its_lines_as_rfc_4180_says(export):
    lines = export("participants", "--guild", "10").split("\r\n")
    assert (len(lines), lines[-1]) == (len(EVIL) + 2, "")
    assert not any("\n" in line for line in lines)


@pytest.mark.usefixtures("evil")
def test_for_excel_there_is_a_mark_and_ids_keep_their_digits(export, folder):
    text = export("participants", "--event", "9", "--excel", "--output", "out.csv")
    assert text == ""
    data = (folder / "out.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbfevent_id,")
    [row] = table(data.decode("utf-8-sig"))
    assert row["user_id"] == f'="{2**62 + 9}"'
    assert row["event_id"] == "9"
    assert row["event_name"] == "caf\u00e9 \U0001f389"
