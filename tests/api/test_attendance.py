"""Who took part and how it went, over HTTP: an evening that a real engine followed."""

import pytest

from tests.api.evening import HELD, RUNNING
from tests.api.running import CELLAR, GUILD, LOST, LOUNGE, STAGE, refusal


@pytest.fixture(scope="module")
def api(shared_api, evening):
    return shared_api


@pytest.fixture
def held(evening):
    return f"/events/{evening[HELD]}"


class TestAttendance:
    def test_a_participant_is_told_as_the_contract_says(self, api, held):
        first = api.get(f"{held}/participants").json()["items"][-3]
        assert first == {
            "userId": "1",
            "userName": "Ann",
            "joinTime": "2026-03-01T12:10:00.000Z",
            "leaveTime": "2026-03-01T12:40:00.000Z",
            "enteredAt": "2026-03-01T12:10:00.000Z",
            "startDate": "2026-03-01T12:10:00.000Z",
            "endDate": "2026-03-01T12:30:00.000Z",
            "duration": 1200.0,
            "reasons": {"deafened": 600.0},
            "eligible": True,
            "why": "20 min counted, 20 min needed; not counted: deafened 10 min",
        }

    def test_intervals_come_where_asked_for(self, api, held):
        first = api.get(f"{held}/participants?intervals=true").json()["items"][-3]
        assert first["intervals"] == [
            {
                "joinTime": "2026-03-01T12:10:00.000Z",
                "leaveTime": "2026-03-01T12:40:00.000Z",
                "duration": 1800.0,
                "channelId": "20",
                "counted": 1200.0,
            }
        ]

    @pytest.mark.parametrize(("query", "users"), [("true", ["forgotten-3", "1", "2"]), ("false", ["3"])])
    def test_a_verdict_can_be_asked_for(self, api, held, query, users):
        found = api.get(f"{held}/participants?eligible={query}").json()
        assert ([it["userId"] for it in found["items"]], found["next"]) == (users, None)

    @pytest.mark.parametrize(
        ("kind", "users"),
        [("participants", ["forgotten-3", "1", "2", "3"]), ("badges", ["forgotten-3", "1", "2"])],
    )
    def test_pages_follow_one_another_and_end(self, api, held, kind, users):
        seen, query = [], {"limit": 1}
        while query:
            page = api.get(f"{held}/{kind}", params=query).json()
            seen += [it["userId"] for it in page["items"]]
            query = {"limit": 1, "cursor": page["next"]} if page["next"] else None
        assert seen == users

    def test_of_a_running_event_they_stand_as_of_now(self, api, evening):
        (there,) = api.get(f"/events/{evening[RUNNING]}/participants").json()["items"]
        assert (there["userId"], there["duration"], there["leaveTime"]) == ("2", 600.0, None)

    def test_a_badge_says_how_its_delivery_stands(self, api, held):
        badge = api.get(f"{held}/badges").json()["items"][-1]
        assert badge == {
            "userId": "2",
            "userName": None,
            "awardedAt": "2026-03-01T13:00:00.000Z",
            "distributor": "none",
            "status": "recorded",
            "detail": None,
        }

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("participants?eligible=perhaps", "eligible"),
            ("participants?intervals=some", "intervals"),
            ("participants?limit=0", "limit"),
            ("participants?cursor=x", "cursor"),
            ("participants?cursor=9223372036854775808", "cursor"),
            ("badges?limit=1001", "limit"),
            ("badges?cursor=forgotten-", "cursor"),
            ("badges?eligible=true", "eligible"),
        ],
    )
    def test_a_bad_value_is_refused_and_its_field_named(self, api, held, query, field):
        refusal(api.get(f"{held}/{query}"), 422, field)

    def test_a_session_says_which_events_it_belongs_to(self, api, evening):
        found = api.get(f"/sessions?eventId={evening[HELD]}").json()["items"]
        assert {it["userId"] for it in found} == {"forgotten-3", "1", "2", "3"}
        assert all(it["eventIds"] == [evening[HELD]] and it["isEventLinked"] for it in found)

    def test_pages_of_sessions_go_on_after_one_who_is_forgotten(self, api):
        seen, query = [], {"limit": 1}
        while query:
            page = api.get("/sessions", params=query).json()
            seen += [it["userId"] for it in page["items"]]
            assert api.get(f"/sessions/{page['items'][0]['sessionId']}").status_code == 200
            query = {"limit": 1, "cursor": page["next"]} if page["next"] else None
        assert sorted(seen) == ["1", "2", "2", "3", "forgotten-3"]


class TestStatistics:
    def test_of_an_event(self, api, evening, held):
        stats = api.get(f"{held}/stats").json()
        assert stats == {
            "eventId": evening[HELD],
            "startedAt": "2026-03-01T12:00:00.000Z",
            "endedAt": "2026-03-01T13:00:00.000Z",
            "length": 3600.0,
            "participants": 4,
            "eligible": 3,
            "countedSeconds": 6660.0,
            "presentSeconds": 7260.0,
            "reasons": {"deafened": 600.0},
            "peakConcurrency": 4,
            "peakAt": "2026-03-01T12:20:00.000Z",
            "averageConcurrency": 2.017,
            "badges": {"awarded": 3, "recorded": 3, "delivered": 0, "failed": 0, "pending": 0},
        }

    @pytest.mark.parametrize(
        ("path", "voice"),
        [
            ("/users/1/stats", (1, 1800.0)),
            ("/users/1/stats?guildId=10", (1, 1800.0)),
            ("/users/1/stats?guildId=9", (0, 0.0)),
            ("/users/2/stats", (2, 4800.0)),
            ("/users/404/stats", (0, 0.0)),
        ],
    )
    def test_of_a_user(self, api, path, voice):
        stats = api.get(path).json()
        assert (stats["voiceSessions"], stats["voiceSeconds"]) == voice

    def test_of_a_guild_and_a_channel(self, api):
        guild, channel = (api.get(it).json() for it in ("/guilds/10/stats", f"/channels/{STAGE}/stats"))
        assert (guild["name"], guild["members"], guild["participants"]) == ("Lighthouse", 4, 4)
        assert guild["events"] == {"scheduled": 1, "active": 1, "ended": 1, "cancelled": 1}
        assert (channel["channelId"], channel["name"], channel["voiceSessions"]) == ("21", "Stage", 1)

    @pytest.mark.parametrize(
        ("path", "status", "field"),
        [
            ("/guilds/9/stats", 404, "guildId"),
            ("/guilds/x/stats", 422, "guildId"),
            ("/channels/9/stats", 404, "channelId"),
            ("/channels/x/stats", 422, "channelId"),
            ("/users/x/stats", 422, "userId"),
            ("/users/1/stats?guildId=x", 422, "guildId"),
            ("/guilds/9/channels", 404, "guildId"),
            (f"/guilds/{LOST}/channels", 404, "guildId"),
            ("/guilds/x/channels", 422, "guildId"),
        ],
    )
    def test_what_is_not_there_is_told_by_its_field(self, api, path, status, field):
        refusal(api.get(path), status, field)


def test_the_guilds_that_the_bot_is_in_can_be_found(api):
    assert api.get("/guilds").json() == {"items": [{"guildId": "10", "name": "Lighthouse"}], "next": None}


def test_a_guild_s_channels_can_be_found_but_those_that_are_gone(api):
    assert api.get(f"/guilds/{GUILD}/channels").json() == {
        "items": [
            {"channelId": str(LOUNGE), "guildId": "10", "name": "Lounge", "kind": "voice"},
            {"channelId": str(STAGE), "guildId": "10", "name": "Stage", "kind": "stage"},
        ],
        "next": None,
    }
    assert str(CELLAR) not in api.get(f"/guilds/{GUILD}/channels").text
