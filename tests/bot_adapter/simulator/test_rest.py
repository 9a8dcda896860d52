"""REST as Discord answers it: tokens, shapes, errors, nonces, and failures on demand."""

import aiohttp
import pytest

from bot_adapter.simulator.faults import RestFault


async def test_a_wrong_token_is_told_so_in_exact_json(call):
    status, body, headers = await call("GET", "/users/@me", token="wrong")
    assert (status, body) == (401, {"message": "401: Unauthorized", "code": 0})
    assert headers["Content-Type"] == "application/json"


async def test_the_gateway_is_found(call, server):
    assert (await call("GET", "/gateway", token="none"))[1] == {"url": server.gateway.url}
    _, body, _ = await call("GET", "/gateway/bot")
    assert body["shards"] == 1
    assert body["session_start_limit"]["remaining"] > 0


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/guilds/5", 10004),
        ("/channels/5", 10003),
        ("/guilds/{guild}/members/5", 10007),
        ("/guilds/{guild}/voice-states/{ada}", 10065),
        ("/users/5", 10013),
        ("/no/such/route", 0),
    ],
)
async def test_what_does_not_exist_is_404_with_discords_code(call, guild, ids, path, code):
    status, body, _ = await call("GET", path.format(guild=guild.guild_id, ada=ids["ada"]))
    assert (status, body["code"]) == (404, code)


async def test_guild_channel_and_member_are_told(call, guild, ids):
    assert (await call("GET", f"/guilds/{guild.guild_id}"))[1]["name"] == "Harbour"
    channel = (await call("GET", f"/channels/{ids['Stage']}"))[1]
    assert (channel["type"], channel["guild_id"]) == (13, str(guild.guild_id))
    member = (await call("GET", f"/guilds/{guild.guild_id}/members/{ids['ada']}"))[1]
    assert member["user"]["username"] == "ada"
    assert len((await call("GET", f"/guilds/{guild.guild_id}/channels"))[1]) == 5


async def test_commands_that_were_put_are_there(call, world):
    path = f"/applications/{world.bot.user_id}/commands"
    assert (await call("GET", path))[1] == []
    [put] = (await call("PUT", path, [{"name": "who", "description": "d"}]))[1]
    assert (put["name"], put["application_id"]) == ("who", str(world.bot.user_id))
    assert (await call("GET", path))[1] == [put]


async def test_an_enforced_nonce_never_makes_a_second_message(call, server, ids):
    path = f"/channels/{ids['chat']}/messages"
    body = {"content": "hello", "nonce": "n1", "enforce_nonce": True}
    first, second = [(await call("POST", path, body))[1] for _ in range(2)]
    other = (await call("POST", path, body | {"nonce": "n2"}))[1]
    assert first == second
    assert [it["id"] for it in server.board.messages] == [first["id"], other["id"]]
    assert (await call("GET", path))[1] == [other, first]


async def test_without_enforcement_the_same_nonce_makes_two(call, server, ids):
    for _ in range(2):
        await call("POST", f"/channels/{ids['chat']}/messages", {"content": "hello", "nonce": "n1"})
    assert len(server.board.messages) == 2


@pytest.mark.parametrize(
    ("body", "code"), [({"content": ""}, 50006), ({"content": "x" * 2001}, 50035), ([], 50035), (None, 50035)]
)
async def test_a_bad_message_is_refused(call, server, ids, body, code):
    status, answer, _ = await call("POST", f"/channels/{ids['chat']}/messages", body)
    assert (status, answer["code"]) == (400, code)
    assert server.board.messages == []


async def test_members_are_moved_muted_and_disconnected(call, guild, ada):
    path = f"/guilds/{ada.guild_id}/members/{ada.user_id}"
    assert (await call("PATCH", path, {"channel_id": None}))[1]["code"] == 40032
    ada.join("General")
    await call("PATCH", path, {"channel_id": str(ada.ids["Study"])})
    assert guild.voice[ada.user_id].channel_id == ada.ids["Study"]
    assert (await call("PATCH", path, {"mute": True}))[1]["mute"] is True
    assert (await call("GET", f"/guilds/{ada.guild_id}/voice-states/{ada.user_id}"))[1]["mute"] is True
    assert (await call("PATCH", path, {"channel_id": None}))[0] == 200
    assert not guild.voice
    assert (await call("PATCH", path, {"roles": ["5"]}))[0] == 400


@pytest.mark.parametrize("via", [True, False])
async def test_a_rate_limit_says_when_to_come_again(call, server, via):
    server.faults.fail_rest(RestFault(retry_after=0.3, via=via), path="/users")
    assert (await call("GET", "/gateway"))[0] == 200, "only the path that was named"
    status, body, headers = await call("GET", "/users/@me")
    assert (status, body["retry_after"]) == (429, 0.3)
    assert ("Via" in headers) is via
    assert (await call("GET", "/users/@me"))[0] == 200


async def test_a_lost_reply_loses_only_the_reply(call, server, ids):
    server.faults.fail_rest(RestFault("lost_reply"), path="/messages")
    path = f"/channels/{ids['chat']}/messages"
    with pytest.raises(aiohttp.ClientError):
        await call("POST", path, {"content": "hello", "nonce": "n", "enforce_nonce": True})
    [message] = server.board.messages
    assert message["content"] == "hello"
    again = await call("POST", path, {"content": "hello", "nonce": "n", "enforce_nonce": True})
    assert again[1]["id"] == message["id"]
