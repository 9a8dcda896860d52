"""The commands and the HTTP API, asked of a running daemon."""

import json

import httpx
import pytest

from tests.daemon.running import TOKEN, Daemon, until

UNKNOWN = "123456789012345678"


@pytest.fixture(scope="module")
def daemon():
    """A daemon that tracks a lively community, for all tests of this file."""
    daemon = Daemon({"simulator": {"speed": 10.0}})
    try:
        daemon.run()
        until(lambda: daemon.client.get("/sessions", status="completed")["items"], "a completed session")
        yield daemon
    finally:
        daemon.end()


@pytest.fixture
def http(daemon):
    """A client of the TCP listener, without a token."""
    # The last one: each start takes another free port.
    events = (json.loads(line) for line in daemon.program.text().splitlines() if line.startswith("{"))
    port = [it["port"] for it in events if it["event"] == "api_listening"][-1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield client


def test_sessions_are_listed_as_json(daemon):
    rows = daemon.asked("sessions")
    assert {row["status"] for row in rows} == {"active", "completed"}
    guild_id = rows[-1]["guildId"]
    mine = daemon.asked("sessions", "--guild", guild_id, "--status", "completed", "--spans")
    assert mine
    assert {row["guildId"] for row in mine} == {guild_id}
    assert all(row["leaveTime"] > row["joinTime"] and row["spans"] for row in mine)


def test_sessions_are_listed_for_people(daemon):
    shown = daemon.rollcall("sessions")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "JOINED" in shown.stdout
    assert "still there" in shown.stdout


def test_processes_are_those_that_run(daemon):
    found = daemon.asked("debug", "processes")
    assert [it["name"] for it in found] == ["redis", "simulator", "engine", "ingest"]
    assert all(it.keys() == {"name", "pid", "startedAt", "restarts", "state"} for it in found)
    assert {it["state"] for it in found} == {"running"}
    assert {it["restarts"] for it in found} == {0}
    assert {it["pid"] for it in found} == {it["pid"] for it in daemon.children().values()}


def test_actors_are_shown_with_their_whole_state(daemon):
    names = [it["name"] for it in daemon.asked("debug", "actors")]
    assert {"supervisor", "partition:0"} < set(names)
    guilds = [name for name in names if name.startswith("guild:")]
    assert len(guilds) == 3
    state = daemon.asked("debug", "actor", guilds[0])["describe"]
    assert state["guildId"] == guilds[0].partition(":")[2]
    assert state["present"] is True


def test_the_journal_is_shown_with_its_lag(daemon):
    (journal,) = daemon.asked("debug", "journal")
    assert journal["partition"] == 0
    assert journal["length"] > 0
    assert journal["lag"] >= 0
    assert [it["connected"] for it in journal["connections"].values()] == [True]


def test_the_live_state_holds_the_open_sessions(daemon):
    live = daemon.asked("debug", "live")
    assert live["guilds"] == 3
    assert live["sessions"] > 0
    assert live["stale"] is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sessions", "--guild", UNKNOWN), f"no session of guild {UNKNOWN}"),
        (("sessions", "--user", UNKNOWN), f"no session of user {UNKNOWN}"),
        (("sessions", "--channel", UNKNOWN), f"no session of channel {UNKNOWN}"),
        (("debug", "actor", f"guild:{UNKNOWN}"), f"guild:{UNKNOWN}"),
    ],
)
def test_an_unknown_id_is_one_line_and_exit_1(daemon, arguments, said):
    done = daemon.rollcall(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert said in line


def test_an_unknown_id_is_an_empty_document_for_programs(daemon):
    done = daemon.rollcall("sessions", "--user", UNKNOWN, "--json")
    assert (done.returncode, done.stdout) == (0, "[]\n")
    assert f"no session of user {UNKNOWN}" in done.stderr


def test_an_ordered_restart_gives_a_new_process(daemon):
    before = daemon.pid("engine")
    done = daemon.rollcall("restart", "engine")
    assert (done.returncode, done.stderr) == (0, "")
    assert daemon.pid("engine") != before
    until(daemon.ready, "the new engine at work")


@pytest.mark.parametrize("path", ["/sessions", "/metrics", "/debug/actors"])
def test_tcp_without_the_token_tells_nothing(http, path):
    assert http.get(path).status_code == 401
    assert http.get(path, headers={"Authorization": "Bearer another"}).status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_tcp_tells_its_health_to_anybody(http, path):
    assert http.get(path).status_code == 200


def test_tcp_with_the_token_gives_pages_and_metrics(http):
    http.headers["Authorization"] = f"Bearer {TOKEN}"
    first = http.get("/sessions", params={"limit": 2}).json()
    second = http.get("/sessions", params={"limit": 2, "cursor": first["next"]}).json()
    ids = [it["sessionId"] for it in first["items"] + second["items"]]
    assert len(set(ids)) == 4
    assert "rollcall_" in http.get("/metrics").text
