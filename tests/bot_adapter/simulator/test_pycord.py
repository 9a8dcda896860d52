"""The real py-cord client against the simulator."""

import asyncio
from contextlib import asynccontextmanager, suppress

import discord
import pytest
from discord.http import Route

from bot_adapter.simulator.faults import RestFault

INTENTS = discord.Intents(guilds=True, voice_states=True)


@pytest.fixture
async def server(serve, world, guild):
    """A Discord where the application was granted no privileged intent."""
    return await serve(world, privileged_intents=0)


@pytest.fixture
def log_in(monkeypatch, server):
    """Run a py-cord client against the server; yields it, with what it heard in ``heard``."""
    monkeypatch.setattr(Route, "API_BASE_URL", server.base_url + "/api/v10")

    @asynccontextmanager
    async def run(client_class=discord.Bot, **options):
        client = client_class(intents=INTENTS, guild_ready_timeout=0.1, **options)
        client.heard, client.names = [], []

        async def on_voice_state_update(member, before, after):
            client.heard.append((member.id, before.channel and before.channel.id))

        async def on_socket_event_type(name):
            client.names.append(name)

        async def identify_at_once(shard_id, *, initial=False):
            """Leave out the five seconds that py-cord waits before a second IDENTIFY."""

        client.before_identify_hook = identify_at_once
        client.add_listener(on_voice_state_update)
        client.add_listener(on_socket_event_type)
        task = asyncio.create_task(client.start("simulator"))
        try:
            yield client
        finally:
            await client.close()
            with suppress(RuntimeError):  # py-cord's own, "Session is closed"
                await asyncio.wait_for(task, 10)

    return run


async def test_it_logs_in_and_sees_guild_and_updates(log_in, ada, guild, eventually):
    ada.join("General")
    async with log_in() as client:
        await eventually(client.is_ready)
        seen = client.get_guild(guild.guild_id)
        general = seen.get_channel(ada.ids["General"])
        assert seen.afk_channel.id == ada.ids["AFK"]
        assert list(general.voice_states) == [ada.user_id]
        ada.move("Stage")
        ada.leave()
        await eventually(lambda: len(client.heard) == 2)
        assert client.heard == [(ada.user_id, ada.ids["General"]), (ada.user_id, ada.ids["Stage"])]
        ada.world.delete_channel(ada.ids["Study"])
        await eventually(lambda: seen.get_channel(ada.ids["Study"]) is None)


async def test_after_a_drop_it_resumes_and_gets_what_it_missed(log_in, ada, server, eventually):
    async with log_in() as client:
        await eventually(client.is_ready)
        server.gateway.drop()
        ada.join("General")
        ada.move("Study")
        await eventually(lambda: "RESUMED" in client.names)
        assert client.names.count("READY") == 1
        assert client.names[-3:] == ["VOICE_STATE_UPDATE", "VOICE_STATE_UPDATE", "RESUMED"]
        await eventually(lambda: len(client.heard) == 2)


@pytest.mark.parametrize("told", ["at the resume", "on the line"])
async def test_after_an_invalid_session_it_identifies_anew(log_in, ada, server, eventually, told):
    async with log_in() as client:
        await eventually(client.is_ready)
        if told == "on the line":
            server.gateway.invalidate()
        else:
            server.gateway.drop(resumable=False)
        ada.join("General")
        await eventually(lambda: client.names.count("READY") == 2)
        await eventually(lambda: client.get_channel(ada.ids["General"]).voice_states)
        assert "RESUMED" not in client.names


async def test_it_follows_a_reconnect(log_in, server, eventually):
    async with log_in() as client:
        await eventually(client.is_ready)
        server.gateway.ask_reconnect()
        await eventually(lambda: "RESUMED" in client.names)


async def test_the_sharded_client_gets_each_guild_once(log_in, ada, guild, server, eventually):
    others = {ada.world.add_guild(f"g{index}").guild_id for index in range(4)}
    async with log_in(discord.AutoShardedBot, shard_count=1) as client:
        await eventually(client.is_ready)
        assert {it.id for it in client.guilds} == others | {guild.guild_id}
        ada.join("General")
        await eventually(lambda: client.heard)


async def test_it_posts_a_message_through_a_rate_limit(log_in, ada, server, eventually):
    async with log_in() as client:
        await eventually(client.is_ready)
        server.faults.fail_rest(RestFault(retry_after=0.05), path="/messages")
        message = await client.get_channel(ada.ids["chat"]).send("hello", nonce=7, enforce_nonce=True)
        assert [it["id"] for it in server.board.messages] == [str(message.id)]


async def test_members_can_be_moved_and_disconnected(log_in, ada, guild, eventually):
    ada.join("General")
    async with log_in() as client:
        await eventually(client.is_ready)
        member = await client.get_guild(guild.guild_id).fetch_member(ada.user_id)
        await member.move_to(client.get_channel(ada.ids["Study"]))
        assert guild.voice[ada.user_id].channel_id == ada.ids["Study"]
        await member.move_to(None)
        assert not guild.voice


@pytest.mark.parametrize(
    ("token", "members", "error"),
    [
        ("wrong", False, discord.LoginFailure),
        ("simulator", True, discord.PrivilegedIntentsRequired),
    ],
)
@pytest.mark.usefixtures("log_in")
async def test_a_refused_login_is_the_librarys_own_error(server, token, members, error):
    client = discord.Bot(intents=discord.Intents(guilds=True, members=members))
    try:
        with pytest.raises(error):
            await client.start(token)
    finally:
        await client.close()
