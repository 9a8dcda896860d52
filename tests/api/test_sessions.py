import pytest

from engine.storage.protocols import StorageBusy

NOON = 1_772_366_400_000  # as in conftest's ledger
MOVED = {
    "sessionId": f"10-1-{NOON}",
    "guildId": "10",
    "userId": "1",
    "userName": "Ann",
    "channelId": "20",
    "joinTime": "2026-03-01T12:00:00.000Z",
    "leaveTime": "2026-03-01T12:00:02.000Z",
    "duration": 2.0,
    "status": "completed",
    "isEventLinked": False,
    "eventIds": [],
    "chainId": f"10-1-{NOON}",
    "previousId": None,
    "relatedSessions": [
        {
            "sessionId": f"10-1-{NOON + 2000}",
            "channelId": "21",
            "joinTime": "2026-03-01T12:00:02.000Z",
            "leaveTime": "2026-03-01T12:00:02.500Z",
            "duration": 0.5,
        }
    ],
    "viaChannelCreation": False,
    "joinedSlack": 0.0,
    "leftSlack": 0.0,
    "confidence": "observed",
    "createdAt": "2026-03-01T12:00:00.000Z",
    "updatedAt": "2026-03-01T12:00:02.000Z",
}


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [it["sessionId"] for it in answer.json()["items"]]


def test_pages_follow_one_another_and_end(unix):
    seen, sizes, cursor = [], [], None
    while cursor or not sizes:
        query = {"limit": 4} | ({"cursor": cursor} if cursor else {})
        page = unix.get("/sessions", params=query)
        seen += ids(page)
        sizes.append(len(ids(page)))
        cursor = page.json()["next"]
    assert sizes == [4, 2]
    assert seen == [f"10-1-{NOON + 2000}"] + [f"10-{user}-{NOON + user}" for user in (5, 4, 3, 2)] + [
        f"10-1-{NOON}"
    ]


def test_a_session_is_told_as_the_contract_says(unix):
    assert unix.get("/sessions?userId=1").json()["items"][1] == MOVED


def test_spans_come_where_asked_for(unix):
    spans = unix.get("/sessions?userId=1&spans=true").json()["items"][1]["spans"]
    assert [(it["duration"], it["selfDeaf"]) for it in spans] == [(1.0, False), (1.0, True)]
    assert unix.get(f"/sessions/10-1-{NOON}").json() == MOVED | {"spans": spans}


def test_a_session_under_way_has_no_end(unix):
    (item,) = unix.get("/sessions?status=active").json()["items"]
    assert (item["status"], item["leaveTime"], item["duration"]) == ("active", None, 9.995)


@pytest.mark.parametrize(
    ("query", "users"),
    [
        ("guildId=10&userId=3", "3"),
        ("guildId=11", ""),
        ("channelId=21", "1"),
        ("status=active", "5"),
        ("eventId=30", ""),
        ("userId=2&to=2026-03-01T12:00:00.002Z", ""),
        ("userId=2&to=2026-03-01T13:00:00.003%2B01:00", "2"),
        ("from=2026-03-01T12:00:02.500Z", "5"),
        ("from=2026-03-01T12:00:02.499Z", "15"),
    ],
)
def test_a_filter_leaves_what_fits(unix, query, users):
    assert sorted(name.split("-")[1] for name in ids(unix.get(f"/sessions?{query}"))) == list(users)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("guildId=ten", "guildId"),
        ("guildId=-1", "guildId"),
        ("userId=forgotten-1", "userId"),  # a person can be asked for as long as there is one
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
        ("cursor=9223372036854775808-1-1", "cursor"),
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
    def busy(*_, **__):
        raise StorageBusy("rollcall.db: database is locked")

    reads.sessions = busy
    answer = unix.get("/sessions")
    assert answer.status_code == 503
    assert answer.json()["error"] == {"code": "unavailable", "message": "rollcall.db: database is locked"}


def test_an_unknown_session_is_not_found(unix):
    answer = unix.get("/sessions/10-9-1772388000000")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("name", ["x", "1-2", "1-2-3-4", "9223372036854775808-1-1", "1-1-1111111111111111"])
def test_what_is_no_session_id_is_invalid(unix, name):
    answer = unix.get(f"/sessions/{name}")
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "sessionId")
