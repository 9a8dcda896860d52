"""What is read of events over HTTP: an evening that a real engine followed."""

import json

import pytest
import redis

from engine.storage.live import _cursor_key
from engine.storage.live_events import active_key
from tests.api.evening import CALLED_OFF, HELD, PLANNED, RUNNING
from tests.api.running import GUILD, LOUNGE, STAGE, refusal


@pytest.fixture(scope="module")
def api(shared_api, evening):
    return shared_api


class TestList:
    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("", [CALLED_OFF, PLANNED, RUNNING, HELD]),
            (f"?guildId={GUILD}", [CALLED_OFF, PLANNED, RUNNING, HELD]),
            ("?guildId=9", []),
            (f"?channelId={STAGE}", [PLANNED, RUNNING]),
            ("?status=ended", [HELD]),
            ("?status=cancelled", [CALLED_OFF]),
            ("?to=2026-03-01T12:30:00Z", [HELD]),
            ("?from=2026-03-01T13:00:00Z&to=2026-03-01T17:00:00Z&status=active", [RUNNING]),
        ],
    )
    def test_a_filter_leaves_what_fits_the_latest_first(self, api, query, names):
        answer = api.get(f"/events{query}")
        assert [it["name"] for it in answer.json()["items"]] == names
        assert answer.json()["next"] is None

    def test_pages_follow_one_another_and_end(self, api):
        seen, query = [], {"limit": 3}
        while query:
            page = api.get("/events", params=query).json()
            seen.append([it["name"] for it in page["items"]])
            query = {"limit": 3, "cursor": page["next"]} if page["next"] else None
        assert seen == [[CALLED_OFF, PLANNED, RUNNING], [HELD]]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("guildId=x", "guildId"),
            ("voiceChannelId=20", "voiceChannelId"),
            ("status=over", "status"),
            ("from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", "from"),
            ("limit=0", "limit"),
            ("cursor=last", "cursor"),
            ("cursor=9223372036854775808", "cursor"),
        ],
    )
    def test_a_bad_value_is_refused_and_its_field_named(self, api, query, field):
        refusal(api.get(f"/events?{query}"), 422, field)


class TestActive:
    @pytest.mark.parametrize(
        ("query", "names"),
        [
            (f"guildId={GUILD}", [RUNNING]),
            (f"guildId={GUILD}&voiceChannelId={STAGE}", [RUNNING]),
            (f"guildId={GUILD}&voiceChannelId={LOUNGE}", []),
            ("guildId=9", []),
        ],
    )
    def test_they_are_told_as_the_live_state_has_them(self, api, evening, query, names):
        found = api.get(f"/events/active?{query}").json()
        assert ([it["name"] for it in found["items"]], found["next"]) == (names, None)
        assert found["items"] == [api.get(f"/events/{evening[name]}").json() for name in names]

    def test_it_is_the_live_state_that_answers(self, api, evening, redis_server):
        key, event_id = active_key(GUILD), evening[RUNNING]
        with redis.Redis.from_url(redis_server.url) as client:
            kept = client.hget(key, event_id)
            client.hset(key, event_id, json.dumps(json.loads(kept) | {"name": "mirrored"}))
            told = api.get(f"/events/active?guildId={GUILD}").json()["items"]
            client.hset(key, event_id, kept)
        assert [it["name"] for it in told] == ["mirrored"]

    @pytest.mark.parametrize("foreign", ['{"eventId": "1"}', "[]", "no JSON"])
    def test_what_another_version_or_program_wrote_there_is_not_taken(
        self, api, evening, redis_server, foreign
    ):
        key, event_id = active_key(GUILD), evening[RUNNING]
        with redis.Redis.from_url(redis_server.url) as client:
            kept = client.hget(key, event_id)
            client.hset(key, event_id, foreign)
            told = api.get(f"/events/active?guildId={GUILD}").json()["items"]
            client.hset(key, event_id, kept)
        assert [it["name"] for it in told] == [RUNNING]

    def test_without_the_live_state_the_ledger_answers(self, api, redis_server):
        key = _cursor_key(0)
        with redis.Redis.from_url(redis_server.url) as client:
            kept = client.get(key)
            client.delete(key, active_key(GUILD))
            told = api.get(f"/events/active?guildId={GUILD}").json()["items"]
            client.set(key, kept)
        assert [it["name"] for it in told] == [RUNNING]

    @pytest.mark.parametrize(
        ("query", "field"),
        [("", "guildId"), ("guildId=x", "guildId"), ("guildId=10&channelId=20", "channelId")],
    )
    def test_a_bad_question_is_refused_and_its_field_named(self, api, query, field):
        refusal(api.get(f"/events/active?{query}"), 422, field)
