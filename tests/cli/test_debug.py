import json

import pytest

READING = [["debug"], *(["debug", it] for it in ("actors", "journal", "live", "top"))]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("command", READING)
def test_every_view_prints_one_json_document(rollcall, command, no_wait):
    code, out, err = rollcall(*command, "--json")
    assert (code, err) == (0, "")
    json.loads(out)


@pytest.fixture
def no_wait(monkeypatch):
    """`top` looks twice without a second in between; the engine's own clock says how long it was."""
    monkeypatch.setattr("engine.cli.top._EVERY_S", 0)


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize("command", [*READING, ["debug", "actor", "guild:1"]])
def test_without_an_engine_there_is_one_line_that_says_what_to_do(rollcall, command):
    code, out, err = rollcall(*command)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "no engine answers at" in err
    assert "is `rollcall run` running?" in err


def test_options_before_the_view_hold_for_it_too(rollcall, engine, folder, monkeypatch):
    monkeypatch.chdir("/")
    code, out, _ = rollcall("debug", "--json", "--config", str(folder / "config.toml"), "live")
    assert (code, json.loads(out)["sessions"]) == (0, 1)


@pytest.mark.usefixtures("engine")
def test_actors_are_a_table(rollcall):
    _, out, _ = rollcall("debug", "actors")
    title, row = out.splitlines()
    assert title.split()[:4] == ["NAME", "STATE", "INBOX", "RESTARTS"]
    assert row.split()[:4] == ["guild:10", "running", "0", "0"]


@pytest.mark.usefixtures("engine")
def test_one_actor_shows_its_whole_state(rollcall):
    assert "      channelId: 20" in rollcall("debug", "actor", "guild:10")[1].splitlines()
    assert json.loads(rollcall("debug", "actor", "guild:10", "--json")[1])["name"] == "guild:10"


@pytest.mark.usefixtures("engine")
def test_an_unknown_actor_is_named(rollcall):
    code, out, err = rollcall("debug", "actor", "guild:404")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "guild:404" in err


@pytest.mark.usefixtures("engine", "no_wait")
def test_top_divides_what_grew_by_the_time_between(rollcall):
    assert json.loads(rollcall("debug", "top", "--json")[1]) == {
        "at": "2026-03-01T12:00:02.000Z",
        "perSecond": {"entries": 100.0, "commits": 2.0},
        "commitMs": 250.0,
        "gauges": {"open_sessions": 1},
    }


def test_processes_come_from_the_parent(rollcall, parent):
    process = {"name": "engine", "pid": 7, "startedAt": "2026-03-01T12:00:00.000Z", "restarts": 1}
    parent({"result": [process | {"state": "running"}]})
    assert json.loads(rollcall("debug", "processes", "--json")[1]) == [process | {"state": "running"}]
    parent({"result": [process | {"pid": None, "startedAt": None, "state": "stopped"}]})
    assert rollcall("debug", "processes")[1].splitlines()[1].split() == ["engine", "1", "stopped"]


def test_without_a_parent_there_are_no_processes_to_show(rollcall):
    code, out, err = rollcall("debug", "processes")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "no daemon answers at" in err
