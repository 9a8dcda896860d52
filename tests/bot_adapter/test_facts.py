"""What arrives in the journal of a guild's voice: the real client against the simulator, on a real socket."""

from engine.domain.inputs import (
    Channel,
    ChannelCreated,
    ChannelDeleted,
    GuildLost,
    GuildUnavailable,
    VoiceFlags,
)


async def test_a_snapshot_tells_all_there_is_of_a_guilds_voice(place, start_ingest, journal):
    place.join(who=0, room=1)
    place.world.set_voice(place.guild_id, place.people[0], self_deaf=True, mute=True)
    await start_ingest()
    (snapshot,) = await journal.until(lambda: journal.snapshots)
    (state,) = snapshot.voice_states
    assert (state.user_id, state.channel_id) == (place.people[0], place.rooms[1])
    assert state.flags == VoiceFlags.SELF_DEAF | VoiceFlags.MUTE
    assert Channel(place.rooms[0], "Pier", 2) in snapshot.channels
    assert len(snapshot.channels) == 3
    assert (snapshot.name, snapshot.connection) == ("Harbour", "life/0/1")
    assert snapshot.own_user_id == place.world.bot.user_id
    assert snapshot.afk_channel_id not in {None, *place.rooms}


async def test_updates_read_at_once_come_out_each_once_in_order(server, place, ingest, journal):
    server.gateway.pause()  # so that all lie in the client's buffer together
    place.join()
    place.move()
    place.leave()
    place.join(who=1)
    place.leave(who=1)
    server.gateway.unpause()
    await journal.until(lambda: len(journal.voice) >= 5)
    pier, deck = place.rooms
    assert journal.channels_by_update == [pier, deck, None, pier, None]
    assert [it.user_id for it in journal.voice] == [place.people[0]] * 3 + [place.people[1]] * 2
    assert all(it.replayed_from is None for it in journal.voice)


async def test_roles_and_flags_come_from_the_update_itself(place, ingest, journal):
    role = place.world.add_role(place.guild_id, "crew")
    place.world.set_roles(place.guild_id, place.people[0], (role.role_id,))
    place.join()
    place.world.set_voice(place.guild_id, place.people[0], self_mute=True)
    _, muted = await journal.until(lambda: len(journal.voice) == 2 and journal.voice)
    assert muted.roles == (role.role_id,)
    assert muted.flags == VoiceFlags.SELF_MUTE
    assert muted.gateway_session_id


async def test_channels_come_and_go(place, ingest, journal):
    channel = place.world.create_channel(place.guild_id, "Annex")
    place.world.join(place.guild_id, place.people[0], channel.channel_id)
    place.world.delete_channel(channel.channel_id)
    (deleted,) = await journal.until(lambda: journal.of(ChannelDeleted))
    (created,) = journal.of(ChannelCreated)
    assert created.channel_id == deleted.channel_id == channel.channel_id
    assert created.name == "Annex"


async def test_an_outage_and_its_end_are_told(place, ingest, journal):
    place.join()
    place.world.set_unavailable(place.guild_id)
    place.leave()
    place.world.set_available(place.guild_id)
    await journal.until(lambda: len(journal.snapshots) == 2)
    assert [it.guild_id for it in journal.of(GuildUnavailable)] == [place.guild_id]
    assert journal.snapshots[1].voice_states == ()
    assert journal.snapshots[1].connection == journal.snapshots[0].connection


async def test_a_guild_that_throws_the_bot_out_is_lost(place, ingest, journal):
    place.world.remove_guild(place.guild_id)
    (lost,) = await journal.until(lambda: journal.of(GuildLost))
    assert lost.guild_id == place.guild_id


async def test_the_bots_own_voice_still_reaches_pycord(server, place, ingest, journal):
    place.world.join(place.guild_id, place.world.bot.user_id, place.rooms[0])
    await journal.until(lambda: journal.voice)
    socket = ingest._shards[0].socket
    guild = socket._connection._get_guild(place.guild_id)
    await journal.until(lambda: place.world.bot.user_id in guild._voice_states)
    place.join()
    await journal.until(lambda: len(journal.voice) == 2)
    assert place.people[0] not in guild._voice_states
