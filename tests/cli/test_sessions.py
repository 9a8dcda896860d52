import json

import pytest


@pytest.fixture(params=["engine", "ledger"])
def source(request):
    """The sessions come from the engine where one runs, else from the file; nobody can tell which."""
    return request.getfixturevalue(request.param)


def users(out):
    return [row["userId"] for row in json.loads(out)]


@pytest.mark.usefixtures("source")
def test_all_sessions_are_one_json_array_the_latest_join_first(rollcall):
    code, out, err = rollcall("sessions", "--json")
    assert (code, err) == (0, "")
    assert users(out) == ["5", "4", "3", "2", "1"]


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--user", "3"], ["3"]),
        (["--guild", "10", "--limit", "2"], ["5", "4"]),
        (["--channel", "20", "--status", "active"], ["5"]),
        (["--until", "2026-03-01T12:00:03Z"], ["2", "1"]),
        (["--since", "2026-03-01T14:00+00:00"], ["5"]),
        (["--guild", "home", "--channel", "LOUNGE", "--limit", "2"], ["5", "4"]),
        (["--user", "3", "--status", "cancelled"], []),
    ],
)
def test_every_filter_must_hold(rollcall, arguments, expected):
    code, out, _ = rollcall("sessions", "--json", *arguments)
    assert (code, users(out)) == (0, expected)


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize("kind", ["guild", "user", "channel", "event"])
def test_an_unknown_id_is_named_and_is_an_empty_array_for_programs(rollcall, kind):
    line = f"no session of {kind} 404 in the ledger\n"
    assert rollcall("sessions", f"--{kind}", "404") == (1, "", f"rollcall: {line}")
    assert rollcall("sessions", f"--{kind}", "404", "--json") == (0, "[]\n", line)


@pytest.mark.usefixtures("source")
def test_a_name_that_nothing_has_is_refused_with_those_that_may_be_meant(rollcall):
    refused = "rollcall: no guild is called 'me': there is Home (10)\n"
    assert rollcall("sessions", "--guild", "me", "--json") == (1, "", refused)
    assert rollcall("export", "sessions", "--guild", "me") == (1, "", refused)


@pytest.mark.usefixtures("evening_held")
def test_the_last_event_goes_by_that_word(rollcall):
    assert users(rollcall("sessions", "--event", "last", "--json")[1]) == ["3"]


@pytest.mark.usefixtures("evening_held")
def test_an_event_that_nobody_came_to_is_not_unknown(rollcall):
    assert rollcall("sessions", "--event", "903") == (0, "no sessions\n", "")
    assert rollcall("sessions", "--event", "903", "--json") == (0, "[]\n", "")


@pytest.mark.usefixtures("source", "_in_utc")
def test_people_get_names_and_readable_times(rollcall):
    code, out, _ = rollcall("sessions", "--user", "1")
    assert code == 0
    title, row = out.splitlines()
    assert title.split() == ["JOINED", "LEFT", "DURATION", "GUILD", "CHANNEL", "USER"]
    cells = "2026-03-01 12:00:01", "2026-03-01 13:02:03", "1h 02m 02s", "Home", "Lounge", "Ann"
    assert row.split() == " ".join(cells).split()


@pytest.mark.usefixtures("source")
def test_people_are_told_what_is_not_known(rollcall):
    [_, row] = rollcall("sessions", "--user", "5")[1].splitlines()
    assert "still there" in row
    assert row.rstrip().endswith("joined up to 1m 30s earlier")


@pytest.mark.usefixtures("source")
def test_a_table_says_when_there_is_more(rollcall):
    code, out, err = rollcall("sessions", "--limit", "2")
    assert (code, len(out.splitlines())) == (0, 3)
    assert err == "the latest 2; for more: --limit N or --all\n"


@pytest.mark.usefixtures("source")
def test_the_last_page_does_not_promise_more(rollcall):
    assert rollcall("sessions", "--limit", "5")[2] == ""


@pytest.mark.usefixtures("source")
def test_spans_come_where_they_are_asked_for(rollcall):
    [row] = json.loads(rollcall("sessions", "--user", "1", "--spans", "--json")[1])
    assert len(row["spans"]) == 1
    [row] = json.loads(rollcall("sessions", "--user", "1", "--json")[1])
    assert "spans" not in row


@pytest.mark.usefixtures("source")
def test_every_page_is_followed(rollcall, monkeypatch):
    monkeypatch.setattr("engine.cli.records.PAGE_MAX", 2)
    assert users(rollcall("sessions", "--json")[1]) == ["5", "4", "3", "2", "1"]


def test_an_empty_answer_is_still_json(rollcall, ledger):
    assert rollcall("sessions", "--status", "cancelled", "--json") == (0, "[]\n", "")
    assert rollcall("sessions", "--status", "cancelled") == (0, "no sessions\n", "")


def test_without_engine_and_ledger_both_places_are_named(rollcall, config):
    code, out, err = rollcall("sessions")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert str(config.api_socket) in err
    assert str(config.database) in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--guild", "9" * 30],
        ["--channel", "Lounge"],
        ["--user", "-1"],
        ["--channel", "9" * 30],
        ["--event", "²"],
        ["--since", "yesterday"],
        ["--since", "999999w"],
        ["--since", "1h", "--until", "2h"],
        ["--status", "gone"],
        ["--limit", "0"],
        ["--nonsense"],
    ],
)
def test_bad_usage_is_one_line_and_exit_code_two(rollcall, ledger, arguments):
    code, out, err = rollcall("sessions", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("rollcall: ")
