"""Bad usage of the commands about events: each one line, exit code two, no look at any engine."""

import pytest

CREATE = ["events", "create", "--guild", "10", "--channel", "20", "--name", "x"]
CHANGE = ["events", "change", "1"]
PARTICIPANTS = ["export", "participants"]


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["events", "fly"], "'fly'"),
        (["events", "--status", "gone"], "--status"),
        (["events", "--limit", "0"], "--limit"),
        (["events", "--since", "soon"], "--since"),
        (["events", "--since", "1h", "--until", "2h"], "--since is later"),
        (["events", "create"], "--guild"),
        (["events", "create", "--guild", "10", "--channel", "20"], "--name"),
        (["events", "create", "--guild", "10", "--name", "x"], "--channel"),
        ([*CREATE, "--starts", "tomorrow"], "--starts: 'tomorrow'"),
        ([*CREATE, "--starts", "999999w"], "--starts"),
        ([*CREATE, "--ends", ""], "--ends"),
        ([*CREATE, "--for", "90m"], "--for needs a beginning"),
        ([*CREATE, "--for", "90m", "--starts", "none"], "--for needs a beginning"),
        ([*CREATE, "--for", "soon", "--start"], "--for: 'soon'"),
        ([*CREATE, "--for", "999999w", "--start"], "--for"),
        ([*CREATE, "--for", "90m", "--ends", "2h", "--start"], "--for and --ends"),
        ([*CREATE, "--start", "--starts", "2h"], "--start and --starts"),
        ([*CREATE, "--role", "admin"], "--role"),
        ([*CREATE, "--role", "9" * 20], "--role"),
        ([*CREATE, "--match", "some"], "--match"),
        ([*CREATE, "--min-duration", "45"], "--min-duration"),
        ([*CREATE, "--min-duration", "-1m"], "--min-duration"),
        ([*CREATE, "--min-share", "1.5"], "--min-share"),
        ([*CREATE, "--min-share", "nan"], "--min-share"),
        ([*CREATE, "--min-share", "half"], "--min-share"),
        ([*CREATE, "--policy", "countMuted"], "countMuted is true or false"),
        ([*CREATE, "--policy", "countMuted=strict"], "countMuted is true or false"),
        ([*CREATE, "--policy", "slack=true"], "slack is strict or generous"),
        ([*CREATE, "--policy", "countBots=true"], "there is no 'countBots'"),
        (CHANGE, "nothing to change"),
        ([*CHANGE, "--guild", "10"], "--guild"),
        ([*CHANGE, "--starts", "tomorrow"], "--starts"),
        (["events", "start"], "EVENT_ID"),
        (["events", "start", "first"], "'first' is not an id"),
        (["events", "stop", "9" * 30], "too large"),
        (["events", "report", "²"], "not an id"),
        (["rescore"], "EVENT_ID"),
        (["stats"], "event|user|guild|channel"),
        (["stats", "role", "1"], "'role'"),
        (["stats", "user"], "ID"),
        (["stats", "event", "1", "--guild", "10"], "--guild says nothing of a event"),
        (["forget"], "USER_ID"),
        (["forget", "me"], "'me' is not an id"),
        (["forget", "1"], "--yes"),
        (["export"], "sessions|participants"),
        (["export", "badges"], "'badges'"),
        (["export", "sessions", "--format", "xml"], "--format"),
        (["export", "sessions", "--intervals"], "--intervals"),
        (["export", "sessions", "--excel", "--format", "json"], "--excel"),
        (["export", "sessions", "--tz", "Mars/Olympus"], "--tz: 'Mars/Olympus'"),
        (["export", "sessions", "--tz", "Europe"], "--tz"),
        (["export", "sessions", "--tz", "../../etc/passwd"], "--tz"),
        (["export", "sessions", "--event", "first"], "'first' is not an id"),
        (PARTICIPANTS, "participants of which event?"),
        ([*PARTICIPANTS, "--user", "1"], "participants of which event?"),
        ([*PARTICIPANTS, "--event", "1", "--guild", "10"], "leave --guild out"),
        ([*PARTICIPANTS, "--event", "1", "--status", "active"], "--status is of sessions"),
    ],
    ids=lambda it: " ".join(it)[:60] if isinstance(it, list) else "",
)
def test_bad_usage_is_one_line_and_exit_code_two(rollcall, arguments, named):
    code, out, err = rollcall(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert err.startswith("rollcall: ")
    assert named in err
