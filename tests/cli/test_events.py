"""What was held and who attended, from the engine or from the ledger's file."""

import json

import pytest

CLUB, WORKSHOP, WATCH = "901", "902", "903"


def squeezed(out):
    """Return lines with a single space where a table has many."""
    return [" ".join(line.split()) for line in out.splitlines()]


def ids(out):
    return [row["eventId"] for row in json.loads(out)]


@pytest.mark.usefixtures("evening_held")
@pytest.mark.parametrize("command", [["events"], ["events", "list"]])
def test_all_events_are_one_json_array_the_latest_made_first(rollcall, command):
    code, out, err = rollcall(*command, "--json")
    assert (code, err) == (0, "")
    assert ids(out) == [WATCH, WORKSHOP, CLUB]


@pytest.mark.usefixtures("evening_held")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--guild", "10"], [WATCH, WORKSHOP, CLUB]),
        (["--guild", "LIGHTHOUSE", "--channel", "stage"], [WATCH, WORKSHOP]),
        (["--channel", "20"], [WATCH, CLUB]),
        (["--status", "ended"], [CLUB]),
        (["--since", "2026-03-01T13:05Z"], [WATCH, WORKSHOP]),
        (["--until", "2026-03-01T13:05Z"], [CLUB]),
        (["--limit", "1"], [WATCH]),
        (["--guild", "11"], []),
    ],
)
def test_every_filter_must_hold(rollcall, arguments, expected):
    code, out, _ = rollcall("events", "--json", *arguments)
    assert (code, ids(out)) == (0, expected)


@pytest.mark.usefixtures("evening_held")
def test_options_before_the_word_list_hold_for_it_too(rollcall):
    assert ids(rollcall("events", "--json", "--status", "active", "list")[1]) == [WORKSHOP]


@pytest.mark.usefixtures("evening_held")
def test_options_of_the_list_before_another_command_are_refused(rollcall):
    code, out, err = rollcall("events", "--status", "active", "report", "last")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "'report'" in err


@pytest.mark.usefixtures("evening_held")
def test_every_page_of_events_is_followed(rollcall, monkeypatch):
    monkeypatch.setattr("engine.cli.records.PAGE_MAX", 1)
    assert ids(rollcall("events", "--json")[1]) == [WATCH, WORKSHOP, CLUB]


@pytest.mark.usefixtures("evening_held", "_in_utc")
def test_people_get_a_table_with_names(rollcall):
    code, out, err = rollcall("events", "--limit", "2")
    assert code == 0
    assert squeezed(out) == [
        "EVENT NAME STATUS BEGINS ENDS GUILD CHANNELS",
        "903 Night watch scheduled 2026-03-02 18:00:00 Lighthouse Lounge, Stage",
        "902 Workshop, part 2 active 2026-03-01 13:10:00 Lighthouse Stage",
    ]
    assert err == "the latest 2; for more: --limit N or --all\n"


@pytest.mark.usefixtures("evening_held", "_in_utc")
def test_a_report_tells_who_attended_and_why_it_was_or_was_not_enough(rollcall):
    code, out, err = rollcall("events", "report", CLUB)
    head, _, people = out.partition("\n\n")
    assert (code, err) == (0, "")
    assert head.splitlines() == [
        "event       =Book club (901), ended",
        "where       Lounge in Lighthouse",
        "when        2026-03-01 12:00:00 to 2026-03-01 13:00:00 (1h 00m 00s)",
        "badge takes 30m 00s counted",
        "counts      undeafened time, muted or suppressed or alone or bridged, not afk; slack read as strict",
        "people      3 participants, 1 eligible, at most 3 at once (2026-03-01 12:50:00), 2.15 on average",
        "time        1h 28m 59s counted of 2h 08m 59s, deafened 40m 00s",
        "badges      1 awarded, 1 recorded",
    ]
    day, end = "2026-03-01", "2026-03-01 13:00:00"
    assert squeezed(people) == [
        "USER FIRST IN LAST OUT COUNTED NOT COUNTED ELIGIBLE WHY",
        f"=Ann Lee {day} 12:00:00 {end} 58m 59s yes 58 min 59.5 s counted, 30 min needed",
        f"2 {day} 12:00:00 {end} 20m 00s deafened 40m 00s no 20 min counted, 30 min needed",
        f"3 {day} 12:50:00 {end} 10m 00s no 10 min counted, 30 min needed",
    ]


@pytest.mark.usefixtures("evening_held", "_in_utc")
def test_a_report_with_intervals_has_a_line_for_each_time_somebody_was_there(rollcall):
    out = rollcall("events", "report", CLUB, "--eligible", "--intervals")[1]
    _, person, *intervals = squeezed(out.partition("\n\n")[2])
    assert person.startswith("=Ann Lee ")
    assert intervals == [
        "2026-03-01 12:00:00 2026-03-01 12:30:00 30m 00s",
        "2026-03-01 12:31:00 2026-03-01 13:00:00 28m 59s",
    ]


@pytest.mark.usefixtures("evening_held")
def test_a_report_in_json_is_the_event_its_statistics_and_its_participants(rollcall):
    code, out, _ = rollcall("events", "report", CLUB, "--json", "--intervals")
    document = json.loads(out)
    assert (code, list(document)) == (0, ["event", "stats", "participants"])
    assert document["event"]["name"] == "=Book club"
    assert document["stats"]["eligible"] == 1
    assert [(it["userId"], it["duration"]) for it in document["participants"]] == [
        ("1", 3539.5),
        ("2", 1200.0),
        ("3", 600.0),
    ]
    assert [it["counted"] for it in document["participants"][1]["intervals"]] == [1200.0]


@pytest.mark.usefixtures("evening_held")
def test_a_report_can_leave_out_who_was_eligible_and_says_when_there_are_more(rollcall):
    code, out, err = rollcall("events", "report", CLUB, "--not-eligible", "--limit", "1")
    assert (code, err) == (0, "the first 1; for more: --limit N or --all\n")
    assert out.splitlines()[-1].startswith("2 ")


@pytest.mark.usefixtures("evening_held", "_in_utc")
def test_last_is_the_event_made_last_by_a_request_not_by_discord(rollcall):
    code, out, _ = rollcall("events", "report", "last")
    assert (code, out.splitlines()[0]) == (0, "event       Workshop, part 2 (902), active")
    assert "when        2026-03-01 13:10:00 to open end (10m 00s)" in out.splitlines()
    assert squeezed(out)[-1].startswith("3 2026-03-01 13:15:00 still there 5m 00s yes")


@pytest.mark.usefixtures("evening_held", "_in_utc")
def test_a_report_of_what_has_not_begun_says_what_it_demands(rollcall):
    lines = rollcall("events", "report", WATCH)[1].splitlines()
    assert "badge takes any counted time, held with any of the roles 7, 8" in lines
    assert lines[-1] == "no participants"


@pytest.mark.usefixtures("evening_held", "_in_utc")
def test_badges_are_listed_with_how_their_delivery_stands(rollcall):
    title, row = rollcall("events", "badges", CLUB)[1].splitlines()
    assert title.split() == ["USER", "AWARDED", "DISTRIBUTOR", "STATUS", "DETAIL"]
    assert row.split() == ["=Ann", "Lee", "2026-03-01", "13:00:00", "none", "recorded"]
    [badge] = json.loads(rollcall("events", "badges", CLUB, "--json")[1])
    assert (badge["userId"], badge["awardedAt"]) == ("1", "2026-03-01T13:00:00.000Z")
    yet = "no badges yet: they are given a moment after the event's end\n"
    assert rollcall("events", "badges", "last") == (0, yet, "")


@pytest.mark.usefixtures("evening_held")
@pytest.mark.parametrize("command", ["report", "badges"])
def test_an_unknown_event_is_named(rollcall, command):
    assert rollcall("events", command, "404") == (1, "", "rollcall: no event has the id 404\n")


@pytest.mark.usefixtures("evening_held")
def test_sessions_are_found_by_their_event_and_tell_of_it(rollcall):
    code, out, _ = rollcall("sessions", "--event", WORKSHOP)
    assert (code, out.splitlines()[1].split()[-2:]) == (0, ["event", WORKSHOP])
    rows = json.loads(rollcall("sessions", "--event", CLUB, "--json")[1])
    assert [row["userId"] for row in rows] == ["3", "1", "2", "1"]


@pytest.mark.usefixtures("ledger")
def test_without_any_event_last_says_so(rollcall):
    code, out, err = rollcall("events", "report", "last")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "no event was made here yet" in err
    assert rollcall("events") == (0, "no events\n", "")
    assert rollcall("events", "--json") == (0, "[]\n", "")


@pytest.mark.usefixtures("evening_held")
@pytest.mark.parametrize("kind", ["guild", "channel"])
def test_a_name_nobody_has_is_answered_with_those_there_are(rollcall, kind):
    arguments = {"guild": ["--guild", "Lighthose"], "channel": ["--guild", "10", "--channel", "Launge"]}[kind]
    code, out, err = rollcall("events", *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    there = {"guild": "there is Lighthouse (10)", "channel": "there is Lounge (20), Stage (21)"}[kind]
    assert err == f"rollcall: no {kind} is called '{arguments[-1]}': {there}\n"


@pytest.mark.usefixtures("evening_held")
def test_a_channel_of_a_guild_the_bot_is_not_in_is_refused(rollcall):
    code, _, err = rollcall("events", "--guild", "404", "--channel", "Lounge")
    assert (code, err) == (1, "rollcall: the bot is in no guild of the id 404\n")


@pytest.mark.parametrize("command", [["events"], ["events", "report", "last"], ["events", "badges", "1"]])
def test_without_engine_and_ledger_both_places_are_named(rollcall, config, command):
    code, out, err = rollcall(*command)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert str(config.api_socket) in err
    assert str(config.database) in err
