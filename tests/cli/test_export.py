"""Exports read back as programs read them: CSV by the csv module, JSON by json."""

import csv
import json
import os
import subprocess
import sys
from contextlib import closing
from datetime import datetime

import pytest

from engine.domain.attendance import Participant
from engine.domain.event_effects import SaveEvent, SaveParticipants
from engine.domain.events import Event, EventStatus
from engine.domain.partition import START, PartitionState
from engine.storage.ledger import SqlLedger
from engine.storage.protocols import Commit
from tests.cli.conftest import session

CLUB = "901"
MEETING = ["first_join", "last_leave", "in_meeting_duration", "counted_duration", "deafened_duration"]


def table(text):
    return list(csv.DictReader(text.splitlines(keepends=True), strict=True))


@pytest.fixture
def export(rollcall):
    def export(*arguments):
        code, out, err = rollcall("export", *arguments)
        assert (code, err) == (0, "")
        return out

    return export


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
def test_sessions_in_json_are_those_of_the_list(export, rollcall):
    assert export("sessions", "--format", "json") == rollcall("sessions", "--json")[1]


@pytest.mark.usefixtures("evening_held")
def test_an_unknown_id_is_named_and_nothing_is_written(rollcall, folder):
    for arguments, line in [
        (["sessions", "--guild", "404"], "no session of guild 404 in the ledger"),
        (["participants", "--event", "404"], "no event has the id 404"),
    ]:
        code, out, err = rollcall("export", *arguments, "--output", "out.csv")
        assert (code, out, err) == (1, "", f"rollcall: {line}\n")
        assert rollcall("export", *arguments)[1] == ""
    assert {it.name for it in folder.iterdir()} == {"config.toml", "d"}


@pytest.fixture
def write(config):
    """Make a ledger of effects that no engine has."""

    def write(*effects):
        with closing(SqlLedger(config.database, 0)) as ledger:
            ledger.commit(Commit(START, PartitionState(cursor="1-0", now=0), effects))

    return write


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
        session(1, ms(BEFORE) + 2000, ms(AFTER), previous_at=ms(BEFORE)),
    )
    offsets = {"+05:30"}
    items = json.loads(export("sessions", "--tz", "Asia/Kolkata", "--format", "json"))
    assert {it["joinTime"][-6:] for it in items} == offsets


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


def attended(event_id, name):
    event = Event(event_id, 10, name, (20,), EventStatus.ENDED, started_at=1000, ended_at=2000)
    person = Participant(2**62 + event_id, 1000, 1000, 2000, (1000, 0, 0, 0, 0, 0, 0, 0), eligible=False)
    return SaveEvent(event), SaveParticipants(10, event_id, (person,), whole=True)


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


@pytest.mark.usefixtures("evening_held")
def test_a_file_gets_what_standard_output_would(export, folder):
    (folder / "out.csv").write_text("an older one, longer than the new one" * 1000)
    assert export("participants", "--event", CLUB, "--output", "out.csv") == ""
    assert (folder / "out.csv").read_bytes().decode() == export("participants", "--event", CLUB)
    assert {it.name for it in folder.iterdir()} == {"config.toml", "d", "out.csv"}


@pytest.mark.usefixtures("ledger")
def test_of_a_link_what_it_leads_to_is_written(export, folder):
    (folder / "link.csv").symlink_to("there.csv")
    export("sessions", "--output", "link.csv")
    assert (folder / "link.csv").is_symlink()
    assert len(table((folder / "there.csv").read_text())) == 5


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    ("output", "code", "line"),
    [
        ("d", 2, "--output: d is no file; without --output, standard output is written"),
        ("/dev/null", 2, "--output: /dev/null is no file; without --output, standard output is written"),
        ("no/where.csv", 1, "--output: cannot write no/where.csv: No such file or directory"),
    ],
)
def test_what_cannot_be_written_is_one_line(rollcall, output, code, line):
    assert rollcall("export", "sessions", "--output", output) == (code, "", f"rollcall: {line}\n")


@pytest.mark.usefixtures("ledger")
def test_an_export_that_breaks_off_leaves_the_older_file_and_nothing_else(rollcall, folder, monkeypatch):
    (folder / "out.csv").write_text("older")

    def broken(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.cli.columns.session_cells", broken)
    code, out, err = rollcall("export", "sessions", "--output", "out.csv")
    assert (code, out) == (1, "")
    assert err == "rollcall: --output: cannot write out.csv: No space left on device\n"
    assert (folder / "out.csv").read_text() == "older"
    assert {it.name for it in folder.iterdir()} == {"config.toml", "d", "out.csv"}


def test_a_reader_that_has_seen_enough_is_no_failure(config, write):
    joined_at = 1_772_366_400_000
    write(*(session(user, joined_at, joined_at + 5000) for user in range(1, 2000)))  # more than a pipe holds
    command = [sys.executable, "-m", "engine.cli", "export", "sessions", "--config", str(config.source)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b"session_id,")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_a_machine_without_time_zones_is_told_what_to_install(rollcall, config, monkeypatch):
    monkeypatch.setattr("engine.cli.zones.ZoneInfo", _no_zone)
    monkeypatch.setattr("engine.cli.zones.available_timezones", set)
    code, _, err = rollcall("export", "sessions", "--tz", "Europe/Berlin")
    assert (code, err.count("\n")) == (2, 1)
    assert "install the package tzdata" in err


def _no_zone(name):
    raise KeyError(name)


def test_utf_8_is_written_whatever_the_locale_is(write, config):
    write(*attended(1, "caf\u00e9"))
    command = [sys.executable, "-m", "engine.cli", "export", "participants", "--event", "1"]
    environment = os.environ | {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(
        command, capture_output=True, env=environment, cwd=config.folder, timeout=60, check=True
    )
    assert "caf\u00e9" in done.stdout.decode("utf-8")
