"""How events are made over HTTP, by a real engine: the answer is what was committed."""

import itertools
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.api.event_writes import Keys
from tests.api.running import CELLAR, FULL, LEAST, LOST, refusal

MADE = {
    "guildId": "10",
    "name": "Night watch",
    "voiceChannelIds": ["20"],
    "status": "scheduled",
    "startsAt": None,
    "endsAt": None,
    "startedAt": None,
    "endedAt": None,
    "requiredRoleIds": [],
    "roleMatch": "any",
    "minDuration": 0.0,
    "minShare": 0.0,
    "policy": {
        "countMuted": True,
        "countSuppressed": True,
        "countAlone": True,
        "countAfk": False,
        "countBridged": True,
        "slack": "strict",
    },
    "source": "api",
    "discordEventId": None,
    "settled": False,
    "createdAt": "2026-03-01T12:00:00.000Z",
    "updatedAt": "2026-03-01T12:00:00.000Z",
}


@pytest.fixture(scope="module")
def api(shared_api):
    return shared_api


@pytest.fixture
def count(api):
    """``count()``: how many events were made since the test began."""

    def known():
        return len(api.get("/events?limit=1000").json()["items"])

    before = known()
    return lambda: known() - before


class TestMake:
    def test_the_answer_is_the_event_as_the_ledger_has_it_and_where_it_is(self, api):
        answer = api.post("/events", json=LEAST)
        event = answer.json()
        assert answer.status_code == 201
        assert answer.headers["Location"] == f"/events/{event['eventId']}"
        assert event == MADE | {"eventId": event["eventId"]}
        assert api.get(answer.headers["Location"]).json() == event

    def test_every_field_comes_back_as_it_was_given(self, make):
        event = make(**FULL)
        times = {"startsAt": "2026-03-01T18:00:00.000Z", "endsAt": "2026-03-01T20:00:00.500Z"}
        assert {name: event[name] for name in FULL} == FULL | times

    def test_a_channel_or_role_named_twice_is_taken_once(self, make):
        event = make(voiceChannelIds=["20", "21", "020"], requiredRoleIds=["5", "5"])
        assert (event["voiceChannelIds"], event["requiredRoleIds"]) == (["20", "21"], ["5"])

    @pytest.mark.parametrize(
        "name", ["eventId", "status", "startedAt", "endedAt", "discordEventId", "settled", "createdAt"]
    )
    def test_what_the_engine_sets_is_refused_by_its_name(self, api, name):
        message = refusal(api.post("/events", json=LEAST | {name: MADE.get(name)}), 422, name)
        assert "read-only" in message

    def test_every_unknown_key_is_named(self, api):
        message = refusal(api.post("/events", json=LEAST | {"colour": 1, "size": 2}), 422, "colour")
        assert "size: " in message

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("guildId", str(LOST)),
            ("guildId", "99"),
            ("guildId", 10),
            ("guildId", None),
            ("name", ""),
            ("name", " \t"),
            ("name", "x" * 101),
            ("name", 5),
            ("name", None),
            ("voiceChannelIds", []),
            ("voiceChannelIds", [str(CELLAR)]),
            ("voiceChannelIds", ["20", "30"]),
            ("voiceChannelIds", None),
            ("voiceChannelIds.0", [20]),
            ("requiredRoleIds.1", ["5", "admin"]),
            ("requiredRoleIds", None),
            ("roleMatch", "some"),
            ("startsAt", 1_772_366_400),
            ("startsAt", "2026-03-01"),
            ("startsAt", "2026-03-01T18:00:00"),
            ("startsAt", "1999-03-01T18:00:00Z"),
            ("startsAt", "0001-01-01T00:00:00+14:00"),
            ("endsAt", "9999-12-31T23:59:59-14:00"),
            ("minDuration", -1),
            ("minDuration", "60"),
            ("minDuration", True),
            ("minDuration", 31_536_001),
            ("minShare", 1.01),
            ("policy", None),
            ("policy.countMuted", {"countMuted": "yes"}),
            ("policy.slack", {"slack": "loose"}),
            ("policy.count_muted", {"count_muted": True}),
            ("source", "discord"),
        ],
    )
    def test_a_value_that_cannot_be_is_refused_and_its_field_named(self, api, count, field, value):
        message = refusal(api.post("/events", json=LEAST | {field.partition(".")[0]: value}), 422, field)
        assert message.startswith(f"{field}: ")
        assert "\n" not in message
        assert count() == 0

    @pytest.mark.parametrize("field", ["guildId", "name", "voiceChannelIds"])
    def test_what_an_event_cannot_be_without_is_asked_for(self, api, field):
        refusal(api.post("/events", json={it: LEAST[it] for it in LEAST if it != field}), 422, field)

    def test_the_engine_s_own_refusal_names_the_field(self, api):
        times = {"startsAt": "2026-03-01T18:00:00Z", "endsAt": "2026-03-01T18:00:00Z"}
        refusal(api.post("/events", json=LEAST | times), 422, "endsAt")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[]",
            b"null",
            b"\xff\xfe{}",
            b'{"guildId": "\\ud800"}',
            b'{"\\ud800": 1}',
            b'{"a\\nb": 1}',
            b"[" * 60_000,
            b'{"minDuration": ' + b"9" * 5_000 + b"}",
            b'{"minShare": NaN}',
            b'{"minDuration": Infinity}',
        ],
    )
    def test_a_body_that_is_no_event_is_refused_in_one_line(self, api, body):
        answer = api.post("/events", content=body, headers={"Content-Type": "application/json"})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (422, "invalid")
        assert error["message"].isprintable()

    def test_a_body_that_does_not_say_it_is_json_is_refused(self, api):
        answer = api.post("/events", content=b"{}", headers={"Content-Type": "text/plain"})
        assert answer.status_code == 422


class TestKey:
    @pytest.fixture
    def headers(self):
        return {"Idempotency-Key": secrets.token_hex(8)}

    def test_the_same_key_makes_one_event(self, api, count, headers):
        first = api.post("/events", json=LEAST, headers=headers)
        again = api.post("/events", json=LEAST | {"name": "Day watch"}, headers=headers)
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json() == first.json()
        assert again.headers["Location"] == first.headers["Location"]
        assert count() == 1

    def test_requests_of_one_key_at_once_make_one_event(self, api, count, headers):
        def post(_):
            return api.post("/events", json=LEAST, headers=headers)

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(post, range(8)))
        assert {it.status_code for it in answers} == {201}
        assert len({it.json()["eventId"] for it in answers}) == count() == 1

    def test_a_key_of_a_refused_request_is_free(self, api, headers):
        refusal(
            api.post("/events", json=LEAST | {"voiceChannelIds": ["99"]}, headers=headers),
            422,
            "voiceChannelIds",
        )
        assert api.post("/events", json=LEAST, headers=headers).status_code == 201

    def test_the_event_that_was_made_is_told_as_it_is_by_now(self, api, headers):
        event_id = api.post("/events", json=LEAST, headers=headers).json()["eventId"]
        api.post(f"/events/{event_id}/start")
        assert api.post("/events", json=LEAST, headers=headers).json()["status"] == "active"

    def test_without_a_key_each_request_makes_one(self, make):
        assert make()["eventId"] != make()["eventId"]

    def test_the_last_keys_are_known_as_they_were_last_used(self):
        keys, fresh = Keys(2), itertools.count()
        ids = [keys.event_id(10, it, lambda: next(fresh)) for it in ("a", "b", "a", "c", "a", "b")]
        assert ids == [0, 1, 0, 2, 0, 3]

    def test_a_key_is_a_guild_s_own(self):
        keys, fresh = Keys(2), itertools.count()
        assert keys.event_id(10, "a", lambda: next(fresh)) != keys.event_id(11, "a", lambda: next(fresh))

    @pytest.mark.parametrize("key", ["", "x" * 65, "two words", "\u00e9"])
    def test_a_key_is_1_to_64_visible_characters(self, api, key):
        answer = api.post("/events", json=LEAST, headers={"Idempotency-Key": key.encode()})
        refusal(answer, 422, "Idempotency-Key")
