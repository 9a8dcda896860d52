"""Roles given and taken by REST: who may, who hears of it, and where it shows."""

import pytest

MEMBERS = 2
USUAL = 1 | 128


@pytest.fixture
def role_id(world, guild) -> int:
    return world.add_role(guild.guild_id, "crew").role_id


@pytest.fixture
def path(guild, ids, role_id) -> str:
    return f"/guilds/{guild.guild_id}/members/{ids['ada']}/roles/{role_id}"


@pytest.fixture
def log_in(server, connect):
    """Open a gateway session with some intents."""

    async def log_in(intents: int = USUAL):
        client = await connect(server)
        await client.identify(intents=intents)
        return client

    return log_in


async def test_roles_are_given_and_taken(call, guild, ids, role_id, path):
    assert (await call("PUT", path))[0] == 204
    assert guild.members[ids["ada"]].roles == [role_id]
    assert (await call("DELETE", path))[0] == 204
    assert guild.members[ids["ada"]].roles == []


async def test_only_what_changes_something_is_told_and_only_with_the_members_intent(
    call, log_in, world, role_id, path
):
    with_members, plain = await log_in(USUAL | MEMBERS), await log_in()
    for method in ("PUT", "PUT", "DELETE", "DELETE"):
        assert (await call(method, path))[0] == 204
    world.rename_guild(next(iter(world.guilds)), "Port")
    for client in (with_members, plain):
        await client.until("GUILD_UPDATE")
    told = [it["roles"] for it in with_members.dispatches("GUILD_MEMBER_UPDATE")]
    assert told == [[str(role_id)], []]
    assert plain.dispatches("GUILD_MEMBER_UPDATE") == []


async def test_voice_updates_and_snapshots_carry_the_roles(call, log_in, ada, role_id, path):
    await call("PUT", path)
    client = await log_in()
    ada.join("General")
    update = (await client.until("VOICE_STATE_UPDATE"))["d"]
    assert update["member"]["roles"] == [str(role_id)]
    snapshot = (await (await log_in()).until("GUILD_CREATE"))["d"]
    roles = {it["user"]["username"]: it["roles"] for it in snapshot["members"]}
    assert roles["ada"] == [str(role_id)]


async def test_where_discord_refuses_so_does_this(call, world, guild, ids, role_id):
    managed = world.add_role(guild.guild_id, "integration", managed=True).role_id
    for user_id, unfit, answer in (
        (ids["ada"], 5, (404, 10011)),
        (ids["ada"], guild.guild_id, (404, 10011)),  # that of @everyone
        (5, role_id, (404, 10007)),
        (ids["ada"], managed, (403, 50013)),
    ):
        for method in ("PUT", "DELETE"):
            path = f"/guilds/{guild.guild_id}/members/{user_id}/roles/{unfit}"
            status, body, _ = await call(method, path)
            assert (status, body["code"]) == answer
    assert guild.members[ids["ada"]].roles == []


async def test_a_bot_that_may_not_manage_roles_is_refused(call, world, guild, ids, path):
    world.let_bot_manage_roles(guild.guild_id, allowed=False)
    member = f"/guilds/{guild.guild_id}/members/{ids['ada']}"
    asked = [("PUT", path, None), ("DELETE", path, None), ("PATCH", member, {"roles": []})]
    for method, where, body in asked:
        status, answer, _ = await call(method, where, body)
        assert (status, answer["code"]) == (403, 50013)
    world.let_bot_manage_roles(guild.guild_id, allowed=True)
    assert (await call("PUT", path))[0] == 204
