"""The way in for tests in another process."""

import pytest


@pytest.fixture
def sim(http, server):
    async def sim(path: str, body=None, *, method: str = "POST"):
        async with http.request(method, f"{server.base_url}/sim/{path}", json=body) as response:
            return response.status, await response.json()

    return sim


async def test_people_act_and_the_truth_is_told(sim, guild, ids):
    who = {"guild_id": str(guild.guild_id), "user_id": str(ids["ada"])}
    await sim("world/join", who | {"channel_id": str(ids["General"]), "self_mute": True})
    await sim("world/leave", who)
    _, truth = await sim("truth", method="GET")
    [presence] = truth["presences"]
    assert presence["user_id"] == str(ids["ada"])
    assert presence["joined_at"] <= presence["left_at"] <= truth["now"]
    assert presence["spans"] == [[presence["joined_at"], 4]]


async def test_the_world_can_be_built_and_seen(sim):
    _, guild = await sim("world/add_guild", {"name": "Makers", "voice": ["Lab"]})
    _, member = await sim("world/add_member", {"guild_id": guild["id"], "username": "ida"})
    _, role = await sim("world/add_role", {"guild_id": guild["id"], "name": "crew"})
    _, channel = await sim("world/create_channel", {"guild_id": guild["id"], "name": "Den", "kind": 13})
    who = {"guild_id": guild["id"], "user_id": member["user"]["id"]}
    await sim("world/set_roles", who | {"roles": [role["id"]]})
    _, guilds = await sim("world", method="GET")
    seen = next(it for it in guilds if it["id"] == guild["id"])
    assert {it["name"] for it in seen["channels"]} == {"chat", "Lab", "Den"}
    assert channel["type"] == 13
    assert [it["roles"] for it in seen["members"] if it["user"]["username"] == "ida"] == [[role["id"]]]


async def test_a_scheduled_event_is_led_through_its_life(sim, guild, ids):
    where = {"guild_id": str(guild.guild_id)}
    new = {"name": "Study night", "channel_id": str(ids["Study"]), "starts_at_ms": 1_900_000_000_000}
    status, made = await sim("world/create_scheduled_event", where | new)
    assert (status, made["channel_id"]) == (200, str(ids["Study"]))
    assert made["scheduled_start_time"].startswith("2030-03-17T17:46:40.000")
    which = where | {"event_id": made["id"]}
    _, changed = await sim("world/change_scheduled_event", which | {"channel_id": str(ids["General"])})
    assert changed["channel_id"] == str(ids["General"])
    for deed, status in (("start", 2), ("complete", 3)):
        _, [seen] = await sim("world", method="GET")
        assert len(seen["guild_scheduled_events"]) == 1
        assert (await sim(f"world/{deed}_scheduled_event", which))[1]["status"] == status
    _, [seen] = await sim("world", method="GET")
    assert seen["guild_scheduled_events"] == []
    _, truth = await sim("truth", method="GET")
    [told] = truth["scheduled_events"]
    assert [it["status"] for it in told["turns"]] == [1, 1, 2, 3]


@pytest.mark.parametrize("deed", ["cancel", "delete"])
async def test_a_scheduled_event_is_canceled_or_deleted(sim, guild, ids, deed):
    where = {"guild_id": str(guild.guild_id)}
    new = {"name": "Talk", "channel_id": str(ids["Stage"]), "entity_type": 1}
    _, made = await sim("world/create_scheduled_event", where | new)
    assert (await sim(f"world/{deed}_scheduled_event", where | {"event_id": made["id"]}))[0] == 200
    assert guild.scheduled_events == {}


async def test_roles_are_given_taken_and_seen(sim, guild, ids):
    where = {"guild_id": str(guild.guild_id)}
    _, role = await sim("world/add_role", where | {"name": "crew"})
    which = where | {"user_id": str(ids["ada"]), "role_id": role["id"]}
    crew = [role["id"]]
    for deed, changed, roles in (("give", True, crew), ("give", False, crew), ("take", True, [])):
        assert (await sim(f"world/{deed}_role", which))[1] == {"result": changed}
        _, [seen] = await sim("world", method="GET")
        assert [it["roles"] for it in seen["members"] if it["user"]["username"] == "ada"] == [roles]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("world/create_scheduled_event", {"guild_id": "5", "name": "x"}, 400),
        ("world/start_scheduled_event", {"guild_id": "5", "event_id": "6"}, 400),
        ("world/start_scheduled_event", {}, 400),
        ("world/emit", {}, 404),
        ("world/__init__", {}, 404),
        ("faults/fly", {}, 404),
        ("world/leave", {"guild_id": "5", "user_id": "6"}, 400),
        ("world/leave", {"guild": "5"}, 400),
        ("faults/fail_rest", {"status": "many"}, 400),
        ("burst", {"count": 5}, 400),
        ("burst", {}, 400),
    ],
)
async def test_what_cannot_be_done_is_refused_in_one_line(sim, path, body, status):
    answered, answer = await sim(path, body)
    assert answered == status
    assert answer["message"]


async def test_faults_are_made_from_outside(sim, server, connect):
    client = await connect(server)
    await client.identify()
    _, sessions = await sim("sessions", method="GET")
    assert [it["connected"] for it in sessions] == [True]
    await sim("faults/fail_rest", {"path": "/users", "status": 500})
    assert server.faults.next_rest_fault("/users/@me").status == 500
    await sim("faults/refuse_resumes", {"count": 1})
    await sim("faults/drop", {"code": 4000})
    assert await client.close_code() == 4000
    again = await connect(server)
    await again.resume(sessions[0]["session_id"], 1)
    assert (await again.until(9))["d"] is False


async def test_messages_can_be_read(sim, server, ids):
    server.board.post(ids["chat"], "hello")
    _, [message] = await sim("messages", method="GET")
    assert message["content"] == "hello"
