"""The real py-cord client against the simulator."""

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import discord
import pytest
from discord.http import Route

from bot_adapter.simulator.faults import RestFault

INTENTS = discord.Intents(guilds=True, voice_states=True, scheduled_events=True)


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


async def test_its_list_of_scheduled_events_follows_the_worlds(log_in, world, guild, ids, eventually):
    before = world.create_scheduled_event(guild.guild_id, "Talk", ids["Stage"], entity_type=1)
    heard = []
    async with log_in() as client:

        async def on_scheduled_event_create(event):
            heard.append(("created", event.id, event.status.name))

        async def on_scheduled_event_update(_, event):
            heard.append(("updated", event.id, event.status.name))

        async def on_scheduled_event_delete(event):
            heard.append(("deleted", event.id, event.name))

        for listener in (on_scheduled_event_create, on_scheduled_event_update, on_scheduled_event_delete):
            client.add_listener(listener)
        await eventually(client.is_ready)
        seen = client.get_guild(guild.guild_id)
        assert [(it.id, it.location.value.id) for it in seen.scheduled_events] == [
            (before.event_id, ids["Stage"])
        ]
        at = world.clock()
        event = world.create_scheduled_event(guild.guild_id, "Study night", ids["Study"], at, at + 1500)
        world.create_scheduled_event(guild.guild_id, "Picnic", None, at, at + 1, 3, location="Park")
        world.start_scheduled_event(guild.guild_id, event.event_id)
        world.delete_scheduled_event(guild.guild_id, before.event_id)
        await eventually(lambda: len(heard) == 4)
        assert heard[0] == ("created", event.event_id, "scheduled")
        assert heard[2:] == [("updated", event.event_id, "active"), ("deleted", before.event_id, "Talk")]
        found = seen.get_scheduled_event(event.event_id)
        assert found.location.value == seen.get_channel(ids["Study"])
        assert found.end_time - found.start_time == timedelta(seconds=1.5)
        assert {it.location.type.name for it in seen.scheduled_events} == {"voice", "external"}


async def test_it_leads_a_scheduled_event_through_its_life(log_in, guild, ids, eventually):
    async with log_in() as client:
        await eventually(client.is_ready)
        seen = client.get_guild(guild.guild_id)
        start = datetime.now(UTC) + timedelta(hours=1)
        study = seen.get_channel(ids["Study"])
        made = await seen.create_scheduled_event(name="Study night", start_time=start, location=study)
        assert guild.scheduled_events[made.id].channel_id == ids["Study"]
        made = await made.edit(name="Talk", location=seen.get_channel(ids["Stage"]))
        [listed] = await seen.fetch_scheduled_events()
        assert (listed.name, listed.location.type.name, listed.interested) == ("Talk", "stage_instance", 1)
        active = await made.start()
        with pytest.raises(discord.HTTPException, match="In status: Invalid Guild Scheduled Event Status"):
            await active.cancel()
        await active.complete()
        assert await seen.fetch_scheduled_events() == []
        with pytest.raises(discord.NotFound, match="10070"):
            await made.delete()


async def test_it_gives_and_takes_roles(log_in, world, guild, ada, eventually):
    crew = world.add_role(guild.guild_id, "crew").role_id
    async with log_in() as client:
        await eventually(client.is_ready)
        seen = client.get_guild(guild.guild_id)
        member = await seen.fetch_member(ada.user_id)
        await member.add_roles(seen.get_role(crew))
        assert [it.id for it in (await seen.fetch_member(ada.user_id)).roles] == [guild.guild_id, crew]
        await member.remove_roles(seen.get_role(crew))
        assert guild.members[ada.user_id].roles == []
        world.let_bot_manage_roles(guild.guild_id, allowed=False)
        with pytest.raises(discord.Forbidden, match="50013"):
            await member.add_roles(seen.get_role(crew))


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
