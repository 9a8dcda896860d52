"""A person who asks is forgotten over HTTP, by a real engine."""

import httpx
import pytest
from structlog.testing import capture_logs

from engine.api.app import create_app
from engine.storage.forgetting import COUNTED
from tests.api.evening import HELD, RUNNING, after_noon, hold
from tests.api.running import NOON, refusal, update

NOTHING = dict.fromkeys(COUNTED, 0)


@pytest.fixture
def held(api, running):
    """The ids of an evening's events, by their names."""
    return hold(api, running)


def participants(api, event_id):
    return {it["userId"]: it for it in api.get(f"/events/{event_id}/participants").json()["items"]}


def test_events_keep_what_they_need_and_nobody_else_keeps_anything(api, held):
    paths = [f"/events/{held[name]}/stats" for name in (HELD, RUNNING)]
    before, stats = participants(api, held[HELD])["2"], [api.get(it).json() for it in paths]
    answer = api.delete("/users/2")
    assert (answer.status_code, answer.json()["userId"]) == (200, "2")
    assert answer.json()["forgotten"] == NOTHING | {
        "anonymizedSessions": 2,
        "participants": 2,
        "badges": 1,
    }
    assert participants(api, held[HELD])["forgotten-4"] == before | {"userId": "forgotten-4"}
    assert "2" not in participants(api, held[HELD])
    assert [api.get(it).json()["participants"] for it in paths] == [it["participants"] for it in stats]
    assert [api.get(it).json()["countedSeconds"] for it in paths[:1]] == [
        it["countedSeconds"] for it in stats[:1]
    ]
    assert api.get("/sessions?userId=2").json()["items"] == []
    stats_of_user = api.get("/users/2/stats").json()
    assert (stats_of_user["eventsAttended"], stats_of_user["voiceSessions"]) == (0, 0)


def test_what_stays_can_be_asked_for_by_what_it_is_called(api, held):
    api.delete("/users/2")
    sessions = api.get(f"/sessions?eventId={held[HELD]}&limit=1").json()
    found = list(sessions["items"])
    while sessions["next"]:
        sessions = api.get(f"/sessions?eventId={held[HELD]}&limit=1&cursor={sessions['next']}").json()
        found += sessions["items"]
    (theirs,) = [it for it in found if it["userId"] == "forgotten-4"]
    assert api.get(f"/sessions/{theirs['sessionId']}").json()["userId"] == "forgotten-4"
    assert len(found) == 4


def test_the_second_time_there_is_nothing(api, held):
    api.delete("/users/2")
    answer = api.delete("/users/2")
    assert (answer.status_code, answer.json()) == (200, {"userId": "2", "forgotten": NOTHING})


def test_of_somebody_unknown_there_is_nothing_either(api, running):
    running.tell(at=NOON)
    assert api.delete("/users/1234567890123456789").json()["forgotten"] == NOTHING


def test_who_comes_back_is_tracked_again(api, held, running):
    api.delete("/users/3")
    running.tell(update(after_noon(101), 3, 20), at=after_noon(102))
    (session,) = api.get("/sessions?userId=3").json()["items"]
    assert session["joinTime"] == "2026-03-01T13:41:00.000Z"


@pytest.mark.parametrize("user_id", ["forgotten-3", "-3", "me", "99999999999999999999"])
def test_only_an_id_can_be_forgotten(api, user_id):
    refusal(api.delete(f"/users/{user_id}"), 422, "userId")


def test_only_who_knows_the_token_may_ask(stranger, tcp):
    assert stranger.delete("/users/2").status_code == 401
    assert refusal(tcp.delete("/users/2"), 503, None)  # an app that only reads


async def test_a_defect_on_the_way_names_nobody_in_the_log(engine, reads):
    class Broken:
        def now(self):
            raise RuntimeError("broken")

    app = create_app(engine, reads, None, require_token=False, commands=Broken())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(base_url="http://rollcall", transport=transport) as client:
        with capture_logs() as logs:
            answer = await client.delete("/users/175928847299117063")
    assert answer.status_code == 500
    assert "175928847299117063" not in str(logs)
    assert [it["path"] for it in logs if it["event"] == "request_failed"] == ["/users/..."]
