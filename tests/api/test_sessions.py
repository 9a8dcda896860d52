import pytest

from engine.storage.protocols import StorageBusy

ROW = {
    "sessionId": "10-1-1772388000000",
    "guildId": "10",
    "userId": "1",
    "channelId": "20",
    "joinTime": "2026-03-01T18:00:00.000Z",
    "leaveTime": "2026-03-01T18:00:01.500Z",
    "duration": 1.5,
    "status": "completed",
    "isEventLinked": False,
    "eventIds": [],
    "chainId": "10-1-1772388000000",
    "previousId": None,
    "relatedSessions": [],
    "viaChannelCreation": False,
    "joinedSlack": 0,
    "leftSlack": 0.25,
    "confidence": "observed",
    "spans": [],
    "createdAt": "2026-03-01T18:00:00.000Z",
    "updatedAt": "2026-03-01T18:00:01.500Z",
}


@pytest.fixture
def rows(reads):
    reads.rows = [
        ROW | {"sessionId": f"10-{user}-1772388000000", "userId": str(user)} for user in range(1, 6)
    ]
    return reads.rows


def test_pages_follow_one_another_and_end(unix, rows):
    seen, cursor = [], None
    for _ in range(3):
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = unix.get("/sessions", params=query).json()
        seen += page["items"]
        cursor = page["next"]
    assert cursor is None
    assert [it["sessionId"] for it in seen] == [row["sessionId"] for row in rows]


def test_spans_come_only_where_asked_for(unix, rows):
    without = unix.get("/sessions").json()["items"][0]
    assert without == {k: v for k, v in rows[0].items() if k != "spans"}
    assert unix.get("/sessions?spans=true").json()["items"][0] == rows[0]


def test_the_filters_reach_the_ledger_as_numbers(unix, reads):
    query = "guildId=10&userId=1&channelId=20&eventId=30&status=active"
    times = "from=2026-03-01T18:00:00.001Z&to=2026-03-01T20:00:00%2B01:00"
    assert unix.get(f"/sessions?{query}&{times}").status_code == 200
    assert reads.asked == {
        "guild_id": 10, "user_id": 1, "channel_id": 20, "event_id": 30, "status": "active",
        "since": 1_772_388_000_001, "until": 1_772_391_600_000,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("guildId=ten", "guildId"),
        ("guildId=-1", "guildId"),
        ("userId=9223372036854775808", "userId"),
        ("userId=%D9%A1", "userId"),  # a digit, but none of ours
        ("channelId=1%0A", "channelId"),
        ("eventId=", "eventId"),
        ("from=yesterday", "from"),
        ("to=2026-03-01T18:00:00", "to"),  # whose 18:00?
        ("to=1772388000", "to"),  # seconds or ms?
        ("from=2026-03-01", "from"),
        ("from=2026-13-01T18:00:00Z", "from"),
        ("from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", "from"),
        ("status=open", "status"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=many", "limit"),
        ("spans=perhaps", "spans"),
        ("cursor=elsewhere", "cursor"),
        ("cursor=" + "1" * 201, "cursor"),
        ("guildid=10", "guildid"),  # unheard, it would show every guild
        ("guild_id=10", "guild_id"),
    ],
)
def test_a_bad_value_is_refused_and_its_field_named(unix, query, field):
    answer = unix.get(f"/sessions?{query}")
    error = answer.json()["error"]
    assert answer.status_code == 422
    assert (error["code"], error["field"]) == ("invalid", field)
    assert error["message"].startswith(f"{field}: ")


def test_all_bad_values_are_told_at_once(unix):
    message = unix.get("/sessions?guildId=x&limit=0").json()["error"]["message"]
    assert "guildId: " in message
    assert "limit: " in message


def test_a_ledger_that_is_busy_is_told_as_such(unix, reads):
    def busy(**_):
        raise StorageBusy("rollcall.db: database is locked")

    reads.sessions = busy
    answer = unix.get("/sessions")
    assert answer.status_code == 503
    assert answer.json()["error"] == {"code": "unavailable", "message": "rollcall.db: database is locked"}


def test_one_session_comes_with_its_spans(unix, rows):
    assert unix.get("/sessions/10-3-1772388000000").json() == rows[2]


def test_an_unknown_session_is_not_found(unix, rows):
    answer = unix.get("/sessions/10-9-1772388000000")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("name", ["x", "1-2", "1-2-3-4", "9223372036854775808-1-1", "1-1-1111111111111111"])
def test_what_is_no_session_id_is_invalid(unix, name):
    answer = unix.get(f"/sessions/{name}")
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "sessionId")
