"""Commands that make and change events, through a real engine: what they print is what was committed."""

import json
from datetime import datetime, timedelta

import pytest

from engine.commands import NotCommitted
from engine.domain.event_inputs import StartEvent
from engine.domain.inputs import ChannelCreated
from tests.api.running import GUILD, LOUNGE, MINUTE, NOON, STAGE, update

LEAST = ["--guild", "Lighthouse", "--channel", "Lounge", "--name", "Book club"]
FULL = [
    *("--guild", "10", "--channel", "stage", "--channel", "20", "--name", "Night watch"),
    *("--starts", "2026-03-01T18:00+01:00", "--for", "1h30m"),
    *("--role", "7", "--role", "5", "--match", "all", "--min-duration", "45m", "--min-share", "0.5"),
    *("--policy", "countMuted=false", "--policy", "count_alone=FALSE", "--policy", "slack=generous"),
]
pytestmark = pytest.mark.usefixtures("_in_utc")


@pytest.fixture
def make(rollcall, running):
    """Make an event by command and return it."""

    def make(*arguments):
        code, out, err = rollcall("events", "create", *LEAST, *arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return make


@pytest.fixture
def event(rollcall, running):
    """Return an event as the engine has it now."""

    def event(event_id="last"):
        return json.loads(rollcall("events", "report", event_id, "--json")[1])["event"]

    return event


def test_an_event_is_made_of_names_and_of_what_the_configuration_says(make):
    made = make()
    assert (made["guildId"], made["voiceChannelIds"], made["name"]) == ("10", ["20"], "Book club")
    assert (made["status"], made["source"], made["minDuration"]) == ("scheduled", "command", 0.0)


@pytest.mark.usefixtures("running")
def test_every_option_of_an_event_arrives(rollcall, event):
    code, out, err = rollcall("events", "create", *FULL)
    made = event()
    assert (code, err) == (0, "")
    when = "2026-03-01 17:00:00 to 2026-03-01 18:30:00"
    assert out == f'event {made["eventId"]} "Night watch" is scheduled, {when}\n'
    assert made["voiceChannelIds"] == ["21", "20"]
    assert (made["startsAt"], made["endsAt"]) == ("2026-03-01T17:00:00.000Z", "2026-03-01T18:30:00.000Z")
    assert (made["requiredRoleIds"], made["roleMatch"]) == (["7", "5"], "all")
    assert (made["minDuration"], made["minShare"]) == (2700.0, 0.5)
    assert made["policy"] == {
        "countMuted": False,
        "countSuppressed": True,
        "countAlone": False,
        "countAfk": False,
        "countBridged": True,
        "slack": "generous",
    }


def test_an_event_can_begin_as_it_is_made(make):
    before = datetime.now().astimezone()
    made = make("--start", "--for", "90m")
    assert (made["status"], made["startsAt"]) == ("active", None)
    assert made["startedAt"] == "2026-03-01T12:00:00.000Z"
    length = datetime.fromisoformat(made["endsAt"]) - before
    assert timedelta(minutes=89, seconds=59) < length < timedelta(minutes=91)


def test_an_event_that_was_made_but_not_started_is_named(rollcall, running, monkeypatch):
    carry_out = running.desk.carry_out

    def busy(request):
        if isinstance(request, StartEvent):
            raise NotCommitted("the engine is busy")
        return carry_out(request)

    monkeypatch.setattr(running.desk, "carry_out", busy)
    code, out, err = rollcall("events", "create", *LEAST, "--start")
    [event] = json.loads(rollcall("events", "--json")[1])
    assert (code, out) == (1, "")
    assert err == f"rollcall: event {event['eventId']} was made, but not started: the engine is busy\n"


def test_an_event_lives_by_commands(make, rollcall, running):
    event_id = make()["eventId"]
    running.tell(update(NOON, 1, LOUNGE))
    began = f'event {event_id} "Book club" is active, 2026-03-01 12:00:00 to open end\n'
    assert rollcall("events", "start", event_id) == (0, began, "")
    running.tell(at=NOON + 30 * MINUTE)
    ended = f'event {event_id} "Book club" is ended, 2026-03-01 12:00:00 to 2026-03-01 12:30:00\n'
    assert rollcall("events", "stop", "last") == (0, ended, "")
    assert json.loads(rollcall("stats", "event", "last", "--json")[1])["countedSeconds"] == 1800.0


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ("start", "the event was cancelled: only a scheduled one can start"),
        ("stop", "the event was cancelled: only an active one can stop"),
        ("cancel", "the event was cancelled: only a scheduled or active one can be cancelled"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(make, rollcall, order, reason):
    make()
    assert rollcall("events", "cancel", "last")[1].endswith('"Book club" is cancelled\n')
    assert rollcall("events", order, "last") == (1, "", f"rollcall: {reason}\n")


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("command", [["events", "start"], ["events", "change", "--name", "x"], ["rescore"]])
def test_an_order_to_an_unknown_event_names_it(rollcall, command):
    assert rollcall(*command, "404") == (1, "", "rollcall: no event has the id 404\n")


@pytest.fixture
def held(make, rollcall, running):
    """An event of an hour: user 1 in the lounge for all of it, user 2 on the stage for half."""
    make("--start", "--min-duration", "40m")
    running.tell(update(NOON, 1, LOUNGE), update(NOON, 2, STAGE))
    running.tell(update(NOON + 30 * MINUTE, 2, None), at=NOON + 60 * MINUTE)
    assert rollcall("events", "stop", "last")[0] == 0


@pytest.mark.usefixtures("held")
def test_a_change_tells_what_it_changed_of_the_result(rollcall, event):
    code, out, _ = rollcall("events", "change", "last", "--channel", "Lounge", "--channel", "Stage")
    assert (code, out.splitlines()[1]) == (
        0,
        "scored again: 1 result changed, 30m 00s gained; 2 participants now",
    )
    out = rollcall("events", "change", "last", "--min-duration", "20m")[1]
    assert out.splitlines()[1] == "scored again: 1 result changed, 1 newly eligible; 2 participants now"
    out = rollcall("events", "change", "last", "--starts", "2026-03-01T12:45Z", "--role", "none")[1]
    assert out.splitlines()[1] == (
        "scored again: 2 results changed, 1h 15m 00s lost, 2 no longer eligible; 1 participant now"
    )
    assert event()["voiceChannelIds"] == ["20", "21"]


@pytest.mark.usefixtures("held")
def test_a_score_that_changes_nothing_says_so(rollcall):
    code, out, err = rollcall("rescore", "last")
    assert (code, err) == (0, "")
    assert out.splitlines()[1] == "scored again: no result changed; 1 participant now"
    difference = json.loads(rollcall("rescore", "last", "--json")[1])["difference"]
    assert (difference["participants"], difference["changed"]) == (1, 0)


def test_a_change_leaves_what_is_not_named(make, rollcall, event):
    before = make("--starts", "2026-03-01T18:00Z", "--role", "7")
    assert rollcall("events", "change", "last", "--for", "45m", "--name", "Late")[0] == 0
    later = {"name": "Late", "endsAt": "2026-03-01T18:45:00.000Z", "updatedAt": event()["updatedAt"]}
    assert event() == before | later


def test_none_takes_times_and_roles_away(make, rollcall, event):
    make("--starts", "2026-03-01T18:00Z", "--ends", "2026-03-01T19:00Z", "--role", "7")
    code, _, err = rollcall(
        *("events", "change", "last", "--starts", "none", "--ends", "none", "--role", "none")
    )
    changed = event()
    assert (code, err) == (0, "")
    assert (changed["startsAt"], changed["endsAt"], changed["requiredRoleIds"]) == (None, None, [])


def test_a_length_is_counted_from_when_the_event_began(make, rollcall, event):
    make("--start")
    assert rollcall("events", "change", "last", "--for", "2h")[0] == 0
    assert event()["endsAt"] == "2026-03-01T14:00:00.000Z"


def test_a_length_needs_a_beginning(make, rollcall):
    make()
    code, _, err = rollcall("events", "change", "last", "--for", "2h")
    assert (code, err.count("\n")) == (2, 1)
    assert "--for needs a beginning" in err


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--channel", "99"], "--channel: the guild has no voice or stage channel of the id 99"),
        (["--guild", "404"], "--guild: the bot is in no guild of the id 404"),
        (
            ["--starts", "2026-03-01T18:00Z", "--ends", "2026-03-01T17:00Z"],
            "--ends: must lie after the event's beginning",
        ),
        (["--name", " ", "--min-share", "1"], "--name: String should match pattern '\\S'"),
    ],
)
def test_what_the_engine_refuses_is_told_by_the_option(rollcall, arguments, line):
    given = {"--guild": "10", "--channel": "20", "--name": "x"}
    given |= dict(zip(arguments[::2], arguments[1::2], strict=True))
    pairs = [it for pair in given.items() for it in pair]
    assert rollcall("events", "create", *pairs) == (2, "", f"rollcall: {line}\n")


@pytest.mark.usefixtures("running")
def test_names_that_two_things_share_are_listed_with_their_ids(rollcall, running):
    running.tell(ChannelCreated(NOON, GUILD, 29, "Lounge"))
    code, out, err = rollcall("events", "create", *LEAST)
    assert (code, out) == (1, "")
    assert err == "rollcall: 2 channels are called 'Lounge': there is Lounge (20), Lounge (29)\n"


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    "command",
    [
        ["events", "create", *LEAST],
        *(["events", it, "1"] for it in ("start", "stop", "cancel")),
        ["events", "change", "1", "--name", "x"],
        ["rescore", "1"],
        ["forget", "1", "--yes"],
    ],
)
def test_without_an_engine_nothing_can_be_changed(rollcall, command):
    code, out, err = rollcall(*command)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "no engine answers at" in err
    assert "is `rollcall run` running?" in err


@pytest.mark.usefixtures("engine")
def test_an_engine_that_only_reads_says_so(rollcall):
    code, out, err = rollcall("events", "create", "--guild", "10", "--channel", "20", "--name", "x")
    assert (code, out, err.count("\n")) == (1, "", 1)
