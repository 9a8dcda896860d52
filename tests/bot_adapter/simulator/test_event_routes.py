"""The REST routes of scheduled events: Discord's shapes, and its errors."""

from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from bot_adapter.simulator.faults import RestFault


@pytest.fixture
def path(guild) -> str:
    return f"/guilds/{guild.guild_id}/scheduled-events"


def soon(minutes: float = 10) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()


@pytest.fixture
def form(ids) -> dict:
    """A body that is taken."""
    return {
        "name": "Study night",
        "privacy_level": 2,
        "scheduled_start_time": soon(),
        "entity_type": 2,
        "channel_id": str(ids["Study"]),
    }


async def test_an_event_is_made_read_changed_and_deleted(call, path, form, world, ids):
    status, made, _ = await call("POST", path, form)
    assert (status, made["status"], made["channel_id"]) == (200, 1, str(ids["Study"]))
    assert made["creator"]["id"] == made["creator_id"] == str(world.bot.user_id)
    assert datetime.fromisoformat(made["scheduled_start_time"]) <= datetime.fromisoformat(soon())
    own = f"{path}/{made['id']}"
    assert (await call("GET", own))[1] == made
    changed = (await call("PATCH", own, {"name": "Long night", "scheduled_end_time": soon(60)}))[1]
    assert changed["name"] == "Long night"
    assert (await call("GET", path))[1] == [changed]
    assert (await call("DELETE", own))[0] == 204
    assert (await call("GET", path))[1] == []


async def test_the_interested_are_counted_only_if_asked_for(call, path, form):
    made = (await call("POST", path, form))[1]
    assert "user_count" not in (await call("GET", path))[1][0]
    for where in (path, f"{path}/{made['id']}"):
        answer = (await call("GET", f"{where}?with_user_count=1"))[1]
        assert (answer[0] if where == path else answer)["user_count"] == 1


async def test_a_status_is_patched_until_the_event_is_finished(call, path, form):
    own = f"{path}/{(await call('POST', path, form))[1]['id']}"
    for status in (2, 3):
        assert (await call("PATCH", own, {"status": status}))[1]["status"] == status
    assert (await call("GET", path))[1] == []
    assert (await call("GET", own))[1]["code"] == 10070
    status, answer, _ = await call("PATCH", own, {"status": 2})
    assert (status, answer["code"]) == (400, 180000)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_an_unknown_event_is_404_with_discords_code(call, path, method):
    body = {"name": "x"} if method == "PATCH" else None
    status, answer, _ = await call(method, f"{path}/5", body)
    assert (status, answer) == (404, {"message": "Unknown Guild Scheduled Event", "code": 10070})


async def test_an_unknown_guild_is_404_as_everywhere(call):
    assert (await call("GET", "/guilds/5/scheduled-events"))[1]["code"] == 10004


async def test_a_bad_transition_is_an_invalid_form_that_names_the_field(call, path, form):
    own = f"{path}/{(await call('POST', path, form))[1]['id']}"
    status, answer, _ = await call("PATCH", own, {"status": 3})
    assert status == 400
    assert (answer["code"], answer["message"]) == (50035, "Invalid Form Body")
    [error] = answer["errors"]["status"]["_errors"]
    assert error["code"] == "TRANSITION_INVALID"
    assert error["message"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"name": None}, "name"),
        ({"name": 5}, "name"),
        ({"name": ""}, "name BASE_TYPE_BAD_LENGTH"),
        ({"privacy_level": 1}, "privacy_level"),
        ({"entity_type": 7}, "entity_type"),
        ({"channel_id": None}, "entity_type.channel_id BASE_TYPE_REQUIRED"),
        ({"channel_id": "5"}, "channel_id"),
        ({"channel_id": "nowhere"}, "channel_id"),
        ({"scheduled_start_time": "tomorrow"}, "scheduled_start_time"),
        ({"scheduled_start_time": soon(-1)}, "scheduled_start_time GUILD_SCHEDULED_EVENT_SCHEDULE_PAST"),
        ({"scheduled_end_time": soon(5)}, "scheduled_end_time"),
        ({"entity_metadata": {"location": 5}}, "entity_metadata.location"),
        ({"entity_type": 3, "channel_id": None}, "entity_type.location BASE_TYPE_REQUIRED"),
    ],
)
async def test_a_wrong_field_is_named(call, path, form, fields, error):
    status, answer, _ = await call("POST", path, form | fields)
    assert (status, answer["code"]) == (400, 50035)
    keys, _, code = error.partition(" ")
    found = answer["errors"]
    for key in keys.split("."):
        found = found[key]
    assert found["_errors"][0]["code"].startswith(code)
    assert (await call("GET", path))[1] == []


@pytest.mark.parametrize("missing", ["name", "privacy_level", "scheduled_start_time", "entity_type"])
async def test_a_missing_field_is_named(call, path, form, missing):
    del form[missing]
    status, answer, _ = await call("POST", path, form)
    assert status == 400
    assert answer["errors"][missing]["_errors"][0]["code"] == "BASE_TYPE_REQUIRED"


@pytest.mark.parametrize("body", [None, [], "text"])
async def test_a_body_that_is_no_object_is_refused(call, path, body):
    status, answer, _ = await call("POST", path, body)
    assert (status, answer["code"]) == (400, 50035)


async def test_an_event_may_become_external_and_come_back(call, path, form, ids):
    own = f"{path}/{(await call('POST', path, form))[1]['id']}"
    outside = {"entity_type": 3, "channel_id": None, "scheduled_end_time": soon(60)}
    answer = (await call("PATCH", own, outside | {"entity_metadata": {"location": "Park"}}))[1]
    assert (answer["channel_id"], answer["entity_metadata"]) == (None, {"location": "Park"})
    answer = (await call("PATCH", own, {"entity_type": 1, "channel_id": ids["Stage"]}))[1]
    assert (answer["channel_id"], answer["entity_metadata"]) == (str(ids["Stage"]), None)


async def test_the_hundred_and_first_event_is_refused(call, path, form):
    for _ in range(100):
        assert (await call("POST", path, form))[0] == 200
    status, answer, _ = await call("POST", path, form)
    assert (status, answer["code"]) == (400, 30038)


async def test_a_lost_reply_has_made_the_event_all_the_same(call, path, form, server, guild):
    server.faults.fail_rest(RestFault(status=500), path="/scheduled-events")
    assert (await call("POST", path, form))[0] == 500
    assert guild.scheduled_events == {}
    server.faults.fail_rest(RestFault("lost_reply"), path="/scheduled-events")
    with pytest.raises(aiohttp.ClientError):
        await call("POST", path, form)
    assert len(guild.scheduled_events) == 1
