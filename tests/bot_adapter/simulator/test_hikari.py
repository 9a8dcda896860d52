"""A second library, hikari, that shares no code with py-cord: what it accepts is not fitted to the first."""

import base64
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import hikari
import pytest

INTENTS = hikari.Intents.GUILDS | hikari.Intents.GUILD_VOICE_STATES | hikari.Intents.GUILD_SCHEDULED_EVENTS


@pytest.fixture
def token(world) -> str:
    """A token of Discord's form, whose first part is the bot's id: hikari reads it."""
    return base64.b64encode(str(world.bot.user_id).encode()).decode() + ".form.only"


@pytest.fixture
async def server(serve, world, guild, token):
    return await serve(world, token=token)


def new_bot(server, token) -> hikari.GatewayBot:
    return hikari.GatewayBot(
        token,
        intents=INTENTS,
        rest_url=server.base_url + "/api/v10",
        banner=None,
        logs=None,
        suppress_optimization_warning=True,
    )


@pytest.fixture
def log_in(server, token):
    """Run a hikari bot against the server; yields it, and the list of events that it hears."""

    @asynccontextmanager
    async def run(**options):
        bot = new_bot(server, token)
        heard: list[hikari.Event] = []

        async def listen(event: hikari.Event) -> None:
            heard.append(event)

        bot.subscribe(hikari.Event, listen)
        await bot.start(check_for_updates=False, **options)
        try:
            yield bot, heard
        finally:
            await bot.close()

    return run


def of(heard, kind) -> list:
    return [it for it in heard if type(it).__name__ == kind]


async def test_it_logs_in_and_sees_guild_and_updates(log_in, ada, guild, eventually):
    ada.join("General", self_mute=True)
    async with log_in() as (_, heard):
        await eventually(lambda: of(heard, "GuildAvailableEvent"))
        [event] = of(heard, "GuildAvailableEvent")
        assert event.guild.afk_channel_id == ada.ids["AFK"]
        assert event.voice_states[ada.user_id].channel_id == ada.ids["General"]
        assert event.voice_states[ada.user_id].is_self_muted
        assert {it.name for it in event.channels.values()} == {"chat", "General", "Study", "Stage", "AFK"}
        ada.set(self_mute=False, self_deaf=True)
        ada.move("Stage")
        ada.leave()
        await eventually(lambda: len(of(heard, "VoiceStateUpdateEvent")) == 3)
        states = [it.state for it in of(heard, "VoiceStateUpdateEvent")]
        assert [it.channel_id for it in states] == [ada.ids["General"], ada.ids["Stage"], None]
        assert [it.is_self_deafened for it in states] == [True, True, True]
        assert [it.is_suppressed for it in states] == [False, True, True]
        assert states[0].member.username == "ada"


async def test_channels_members_and_outages_are_understood(log_in, ada, guild, eventually):
    async with log_in() as (_, heard):
        await eventually(lambda: of(heard, "GuildAvailableEvent"))
        world = ada.world
        channel = world.create_channel(guild.guild_id, "new", parent_id=None)
        world.rename_channel(channel.channel_id, "newer")
        world.delete_channel(channel.channel_id)
        world.rename_guild(guild.guild_id, "Port")
        world.set_unavailable(guild.guild_id)
        world.set_available(guild.guild_id)
        world.remove_guild(guild.guild_id)
        await eventually(lambda: of(heard, "GuildLeaveEvent"))
        names = ("GuildChannelCreateEvent", "GuildChannelUpdateEvent", "GuildChannelDeleteEvent")
        for name in (*names, "GuildUpdateEvent", "GuildUnavailableEvent"):
            assert len(of(heard, name)) == 1, name
        assert len(of(heard, "GuildAvailableEvent")) == 2


async def test_after_a_drop_it_resumes_and_gets_what_it_missed(log_in, ada, server, eventually):
    async with log_in() as (_, heard):
        await eventually(lambda: of(heard, "GuildAvailableEvent"))
        server.gateway.drop(code=4000)
        ada.join("General")
        ada.move("Study")
        await eventually(lambda: of(heard, "ShardResumedEvent"))
        await eventually(lambda: len(of(heard, "VoiceStateUpdateEvent")) == 2)
        assert len(of(heard, "ShardReadyEvent")) == 1
        assert len(of(heard, "GuildAvailableEvent")) == 1


async def test_after_an_invalid_session_it_identifies_anew(log_in, ada, server, eventually):
    async with log_in() as (_, heard):
        await eventually(lambda: of(heard, "GuildAvailableEvent"))
        server.gateway.invalidate()
        ada.join("General")
        await eventually(lambda: len(of(heard, "GuildAvailableEvent")) == 2)
        assert of(heard, "GuildAvailableEvent")[1].voice_states[ada.user_id].channel_id == ada.ids["General"]
        assert of(heard, "ShardResumedEvent") == []


async def test_members_come_on_request(log_in, guild, ids, eventually):
    async with log_in() as (bot, heard):
        await eventually(lambda: of(heard, "GuildAvailableEvent"))
        shard = bot.shards[0]
        with pytest.raises(hikari.MissingIntentError):
            await shard.request_guild_members(guild.guild_id)
        await shard.request_guild_members(guild.guild_id, query="ad", limit=5)
        await eventually(lambda: of(heard, "MemberChunkEvent"))
        [chunk] = of(heard, "MemberChunkEvent")
        assert list(chunk.members) == [ids["ada"]]


async def test_its_rest_client_reads_posts_and_moves(log_in, ada, guild, server):
    ada.join("General")
    async with log_in() as (bot, _):
        assert (await bot.rest.fetch_guild(guild.guild_id)).name == "Harbour"
        assert (await bot.rest.fetch_channel(ada.ids["Stage"])).name == "Stage"
        assert (await bot.rest.fetch_my_user()).username == "rollcall"
        message = await bot.rest.create_message(ada.ids["chat"], "hello")
        assert [it["id"] for it in server.board.messages] == [str(message.id)]
        await bot.rest.edit_member(guild.guild_id, ada.user_id, voice_channel=ada.ids["Study"])
        assert guild.voice[ada.user_id].channel_id == ada.ids["Study"]
        with pytest.raises(hikari.NotFoundError, match="Unknown Channel"):
            await bot.rest.fetch_channel(5)


async def test_scheduled_events_of_each_kind_are_understood(log_in, world, guild, ids, eventually):
    async with log_in() as (_, heard):
        await eventually(lambda: of(heard, "GuildAvailableEvent"))
        at = world.clock()
        voice = world.create_scheduled_event(guild.guild_id, "Study", ids["Study"], at + 1000, at + 2000)
        stage = world.create_scheduled_event(guild.guild_id, "Talk", ids["Stage"], entity_type=1)
        world.create_scheduled_event(guild.guild_id, "Picnic", None, at, at + 1, 3, location="Park")
        world.start_scheduled_event(guild.guild_id, voice.event_id)
        world.complete_scheduled_event(guild.guild_id, voice.event_id)
        world.delete_scheduled_event(guild.guild_id, stage.event_id)
        await eventually(lambda: of(heard, "ScheduledEventDeleteEvent"))
        created = [it.event for it in of(heard, "ScheduledEventCreateEvent")]
        kinds = [hikari.ScheduledVoiceEvent, hikari.ScheduledStageEvent, hikari.ScheduledExternalEvent]
        assert [type(it) for it in created] == kinds
        assert [it.channel_id for it in created[:2]] == [ids["Study"], ids["Stage"]]
        assert created[2].location == "Park"
        assert created[0].end_time - created[0].start_time == timedelta(seconds=1)
        assert round(created[0].start_time.timestamp() * 1000) == at + 1000
        status = hikari.ScheduledEventStatus
        updated = [it.event.status for it in of(heard, "ScheduledEventUpdateEvent")]
        assert updated == [status.ACTIVE, status.COMPLETED]
        assert [it.event.id for it in of(heard, "ScheduledEventDeleteEvent")] == [stage.event_id]


async def test_its_rest_client_leads_a_scheduled_event_through_its_life(log_in, world, guild, ids):
    async with log_in() as (bot, _):
        start = datetime.now(UTC) + timedelta(hours=1)
        made = await bot.rest.create_voice_event(guild.guild_id, ids["Study"], "Study night", start)
        assert (made.channel_id, made.creator.id) == (ids["Study"], world.bot.user_id)
        [listed] = await bot.rest.fetch_scheduled_events(guild.guild_id)
        assert (listed.id, listed.user_count) == (made.id, 1)
        which = guild.guild_id, made.id
        assert (await bot.rest.edit_scheduled_event(*which, name="Long night")).name == "Long night"
        with pytest.raises(hikari.BadRequestError, match="Status Transition"):
            await bot.rest.edit_scheduled_event(*which, status=hikari.ScheduledEventStatus.COMPLETED)
        await bot.rest.edit_scheduled_event(*which, status=hikari.ScheduledEventStatus.ACTIVE)
        assert (await bot.rest.fetch_scheduled_event(*which)).status is hikari.ScheduledEventStatus.ACTIVE
        await bot.rest.delete_scheduled_event(*which)
        with pytest.raises(hikari.NotFoundError, match="Unknown Guild Scheduled Event"):
            await bot.rest.fetch_scheduled_event(*which)
        assert list(await bot.rest.fetch_scheduled_events(guild.guild_id)) == []


async def test_its_rest_client_gives_and_takes_roles(log_in, world, guild, ada):
    crew = world.add_role(guild.guild_id, "crew").role_id
    async with log_in() as (bot, _):
        await bot.rest.add_role_to_member(guild.guild_id, ada.user_id, crew)
        assert (await bot.rest.fetch_member(guild.guild_id, ada.user_id)).role_ids == [crew, guild.guild_id]
        await bot.rest.remove_role_from_member(guild.guild_id, ada.user_id, crew)
        assert guild.members[ada.user_id].roles == []
        world.let_bot_manage_roles(guild.guild_id, allowed=False)
        with pytest.raises(hikari.ForbiddenError, match="Missing Permissions"):
            await bot.rest.add_role_to_member(guild.guild_id, ada.user_id, crew)


async def test_a_wrong_token_is_its_own_error(server):
    # Its REST client alone: a GatewayBot whose start is refused leaves its HTTP session open.
    app = hikari.RESTApp(url=server.base_url + "/api/v10")
    await app.start()
    try:
        async with app.acquire("wrong", hikari.TokenType.BOT) as client:
            with pytest.raises(hikari.UnauthorizedError):
                await client.fetch_my_user()
    finally:
        await app.close()
