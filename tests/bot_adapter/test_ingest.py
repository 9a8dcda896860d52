"""The real py-cord client against the simulator, over a real socket: what arrives in the journal."""

import asyncio

import pytest
from structlog.testing import capture_logs

from bot_adapter import shard
from bot_adapter.shard import FatalLogin
from bot_adapter.simulator.gateway import GatewayOptions
from bot_adapter.simulator.server import DEFAULT_TOKEN
from bot_adapter.simulator.sessions import frame
from engine.domain.ids import partition_of
from engine.domain.inputs import (
    Channel,
    ChannelCreated,
    ChannelDeleted,
    GuildLost,
    GuildsKnown,
    GuildSnapshot,
    GuildUnavailable,
    Heartbeat,
    VoiceFlags,
)
from engine.storage.protocols import StorageError


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


async def test_a_connection_is_known_to_the_journal_before_its_first_snapshot(ingest, journal):
    beats = journal.inputs[: journal.inputs.index(journal.snapshots[0])]
    assert any(beat.shards and beat.shards[0].connection == "life/0/1" for beat in beats)


async def test_the_guilds_of_a_connection_come_after_its_heartbeat_and_before_its_snapshots(
    server, place, ingest, journal
):
    server.faults.refuse_resumes()
    gone = place.guild_id
    there = place.world.add_guild("Port").guild_id
    place.world.remove_guild(gone)
    server.gateway.drop()
    first, second = await journal.until(lambda: len(found := journal.of(GuildsKnown)) == 2 and found)
    await journal.until(lambda: journal.snapshots[-1].connection == second.connection)
    assert (first.connection, first.shard_id, first.shard_count) == ("life/0/1", 0, 1)
    assert (first.guild_ids, second.guild_ids) == ((gone,), (there,))
    of_second = [it for it in journal.inputs if _connection(it) == second.connection]
    assert [type(it) for it in of_second[:3]] == [Heartbeat, GuildsKnown, GuildSnapshot]


def _connection(it):
    beats = it.shards if isinstance(it, Heartbeat) else [it]
    return next((getattr(beat, "connection", None) for beat in beats), None)


async def test_guilds_that_the_journal_refuses_are_asked_for_again(server, place, start_ingest, journal):
    """A RESUME would bring the snapshots again, but not the READY."""
    append, refusals = journal.append, iter([StorageError("memory and spool are full")])

    def refuse_once(*inputs):
        if isinstance(inputs[0], GuildsKnown) and (refusal := next(refusals, None)):
            raise refusal
        append(*inputs)

    journal.append = refuse_once
    ingest, _ = await start_ingest()
    await journal.until(lambda: journal.snapshots)
    assert ingest.counters.identifies == 2
    (known,) = journal.of(GuildsKnown)
    assert (known.connection, known.guild_ids) == ("life/0/2", (place.guild_id,))
    assert journal.snapshots[0].connection == "life/0/2"


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


async def test_what_a_resume_replays_carries_the_moment_of_the_loss(server, place, ingest, journal):
    server.faults.refuse_gateway(0.3)  # so that the updates happen while nobody listens
    before = journal.of(Heartbeat)[-1].at
    server.gateway.drop()
    await journal.until(lambda: journal.last_beat and not journal.last_beat[0].connected)
    place.join()
    place.move()
    await journal.until(lambda: ingest.counters.resumes == 1)
    place.leave()
    replayed = (await journal.until(lambda: len(journal.voice) == 3 and journal.voice))[:2]
    lost_at = replayed[0].replayed_from
    assert before - 1000 <= lost_at <= replayed[0].at
    assert replayed[1].replayed_from == lost_at
    assert journal.voice[2].replayed_from is None
    assert len(journal.snapshots) == 1
    assert journal.last_beat[0].connection == "life/0/1"


@pytest.mark.parametrize("misbehave", ["ask_reconnect", "drop_4000", "drop_1001"])
async def test_no_update_is_lost_when_discord_wants_a_reconnect(server, place, ingest, journal, misbehave):
    if misbehave == "ask_reconnect":
        server.gateway.ask_reconnect()
    else:
        server.gateway.drop(code=int(misbehave.removeprefix("drop_")))
    place.join()
    place.move()
    await journal.until(lambda: ingest.counters.resumes == 1 and len(journal.voice) == 2)
    assert journal.channels_by_update == place.rooms
    assert len(journal.snapshots) == 1


async def test_an_invalid_session_begins_a_new_connection_with_a_snapshot(server, place, ingest, journal):
    server.faults.refuse_resumes()
    server.gateway.drop()
    place.join()
    await journal.until(lambda: len(journal.snapshots) == 2)
    snapshot = journal.snapshots[1]
    assert snapshot.connection == "life/0/2"
    assert [it.user_id for it in snapshot.voice_states] == [place.people[0]]
    lost = [it for beat in journal.of(Heartbeat) for it in beat.shards if not it.connected]
    assert {it.connection for it in lost} == {"life/0/1"}
    assert all(it.alive_at <= snapshot.at for it in lost)


async def test_a_session_refused_for_now_is_resumed_after_all(server, place, ingest, journal):
    server.faults.refuse_resumes(resumable=True)
    server.gateway.drop()
    place.join()
    await journal.until(lambda: ingest.counters.resumes == 1)
    assert journal.channels_by_update == [place.rooms[0]]


async def test_a_connection_that_went_silent_was_alive_until_its_last_frame(
    server, place, start_ingest, journal
):
    server.faults.swallow_acks = True
    ingest, _ = await start_ingest(silence_s=0.4)
    await journal.until(lambda: journal.snapshots)
    last_frame_at = journal.snapshots[0].at
    await journal.until(lambda: ingest.counters.resumes)
    lost = [it for beat in journal.of(Heartbeat) for it in beat.shards if not it.connected]
    assert last_frame_at <= lost[0].alive_at < last_frame_at + 300


async def test_a_session_that_does_not_come_about_is_tried_again(server, start_ingest, journal, monkeypatch):
    monkeypatch.setattr(shard, "SESSION_TIMEOUT_S", 0.2)
    server.gateway.pause()
    ingest, _ = await start_ingest()
    await journal.until(lambda: ingest.counters.reconnects)
    server.gateway.unpause()
    await journal.until(lambda: journal.snapshots)


@pytest.mark.usefixtures("ingest")
async def test_a_connection_closed_in_order_was_alive_until_then(server, journal):
    quiet_until = journal.snapshots[0].at + 300
    await journal.until(lambda: journal.last_beat[0].alive_at > quiet_until)
    server.gateway.drop(code=4000)
    lost = await journal.until(
        lambda: [it for beat in journal.of(Heartbeat) for it in beat.shards if not it.connected]
    )
    assert lost[0].alive_at > quiet_until


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


@pytest.mark.parametrize(
    "text",
    [
        "no json at all",
        '{"op": 0, "t": "VOICE_STATE_UPDATE", "s": null, "d": ',
        "[]",
        '{"op": 0, "t": 5}',
        '{"op": 77}',
        "[" * 3000,
        '{"op":0,"t":"GUILD_ROLE_UPDATE","d":null}',
        '{"op":0,"t":"CHANNEL_CREATE","d":{"id":"x","type":2}}',
        '{"op":0,"t":"VOICE_STATE_UPDATE","d":{"guild_id":"1"}}',
        '{"op":0,"t":"MESSAGE_CREATE","d":[1]}',
    ],
)
async def test_nothing_that_is_sent_ends_the_client(server, place, ingest, journal, text):
    place.join()
    server.gateway.send_raw(text)
    place.move()
    await journal.until(lambda: len(journal.voice) == 2)
    assert journal.channels_by_update == place.rooms
    assert ingest.counters.reconnects == 0
    assert sum(ingest.counters.malformed.values()) == (0 if "77" in text else 1)


async def test_a_torn_compression_stream_is_left_for_a_resume(server, place, ingest, journal):
    (connection,) = server.gateway.connections
    connection._packer.pack = lambda _: b"torn\x00\x00\xff\xff"
    place.join()
    await journal.until(lambda: ingest.counters.resumes == 1)
    assert journal.channels_by_update == [place.rooms[0]]


async def test_an_update_that_the_journal_refuses_comes_again(server, place, ingest, journal):
    journal.full = StorageError("memory and spool are full")
    place.join()
    await journal.until(lambda: ingest.counters.reconnects)
    journal.full = None
    await journal.until(lambda: journal.voice)
    place.move()
    await journal.until(lambda: len(journal.voice) == 2)
    assert journal.channels_by_update == place.rooms
    assert journal.voice[0].replayed_from is not None


async def test_the_bots_own_voice_still_reaches_pycord(server, place, ingest, journal):
    place.world.join(place.guild_id, place.world.bot.user_id, place.rooms[0])
    await journal.until(lambda: journal.voice)
    socket = ingest._shards[0].socket
    guild = socket._connection._get_guild(place.guild_id)
    await journal.until(lambda: place.world.bot.user_id in guild._voice_states)
    place.join()
    await journal.until(lambda: len(journal.voice) == 2)
    assert place.people[0] not in guild._voice_states


@pytest.mark.parametrize("token", ["wrong", "with\nnewline", "naïve"])
async def test_a_refused_token_ends_with_what_to_do(start_ingest, token):
    _, task = await start_ingest(token=token)
    with pytest.raises(FatalLogin, match=r"^Discord refused the token: set DISCORD_TOKEN .*$") as caught:
        await task
    assert token not in str(caught.value)


class TestWithoutThePrivilegedIntent:
    @pytest.fixture
    def gateway_options(self):
        return GatewayOptions(DEFAULT_TOKEN, privileged_intents=0)

    @pytest.mark.parametrize("shard_count", [0, 1])
    async def test_a_refused_intent_ends_with_what_to_do(self, start_ingest, shard_count):
        _, task = await start_ingest(members_intent=True, shard_count=shard_count)
        with pytest.raises(FatalLogin, match=r"discord\.members_intent = false"):
            await task

    async def test_it_is_not_needed(self, start_ingest, journal):
        await start_ingest()
        assert await journal.until(lambda: journal.snapshots)


async def test_login_is_tried_until_discord_answers(server, start_ingest, journal):
    from bot_adapter.simulator.faults import RestFault

    server.faults.fail_rest(RestFault(status=429, via=False), path="/users/@me", count=2)
    await start_ingest()
    await journal.until(lambda: journal.snapshots)


async def test_a_sharded_bot_hears_all_guilds_each_on_its_shard(server, place, start_ingest, journal):
    guilds = [place.world.add_guild(f"Guild {n}").guild_id for n in range(6)] + [place.guild_id]
    await start_ingest(shard_count=2)
    await journal.until(lambda: len(journal.snapshots) == len(guilds))
    for snapshot in journal.snapshots:
        assert snapshot.connection == f"life/{partition_of(snapshot.guild_id, 2)}/1"
    await journal.until(lambda: len(journal.last_beat) == 2)
    known = {it.shard_id: (it.shard_count, set(it.guild_ids)) for it in journal.of(GuildsKnown)}
    assert known == {
        shard_id: (2, {it for it in guilds if partition_of(it, 2) == shard_id}) for shard_id in (0, 1)
    }


async def test_some_shards_of_a_larger_bot_hear_only_theirs(server, place, start_ingest, journal):
    for n in range(8):
        place.world.add_guild(f"Guild {n}")
    mine = {it for it in place.world.guilds if partition_of(it, 3) == 1}
    ingest, _ = await start_ingest(shard_count=3, shard_ids=(1,))
    await journal.until(lambda: len(journal.snapshots) == len(mine))
    assert {it.guild_id for it in journal.snapshots} == mine
    server.faults.refuse_gateway(0.2)
    server.gateway.drop()
    await journal.until(lambda: ingest.counters.resumes == 1)


async def test_a_clean_stop_ends_with_a_heartbeat_that_says_so(place, ingest, journal):
    place.join()
    await ingest.stop()
    (shard,) = journal.last_beat
    assert isinstance(journal.inputs[-1], Heartbeat)
    assert not shard.connected
    assert shard.alive_at <= journal.inputs[-1].at


async def test_it_stops_at_once_even_while_discord_is_away(server, start_ingest):
    await server.stop()
    ingest, task = await start_ingest()
    await asyncio.sleep(0)
    await asyncio.wait_for(ingest.stop(), 5)
    await task


async def test_an_end_is_not_missed_just_as_the_connection_comes_to_stand(start_ingest, monkeypatch):
    from_client = shard.GatewaySocket.from_client.__func__

    async def cancelled_while_connecting(cls, client, **options):
        socket = await from_client(cls, client, **options)
        (keeper,) = [it for it in asyncio.all_tasks() if it.get_coro().__qualname__ == "Shard.run"]
        asyncio.get_running_loop().call_soon(keeper.cancel)
        return socket

    monkeypatch.setattr(shard.GatewaySocket, "from_client", classmethod(cancelled_while_connecting))
    _, task = await start_ingest()
    await asyncio.wait([task], timeout=5)
    assert task.cancelled()


async def test_what_it_did_is_published_each_second(server, place, start_ingest, journal):
    reports = []

    def publish(report):
        reports.append(report)
        raise ConnectionError("nobody may end the ingest by not listening")

    await start_ingest(publish=publish)
    await journal.until(lambda: journal.snapshots)
    place.join()
    server.gateway.send_raw(frame("CHANNEL_UPDATE", 1, b"{}").decode())
    report = await journal.until(lambda: reports and reports[-1]["malformed"] and reports[-1])
    assert report["malformed"] == {"CHANNEL_UPDATE": 1}
    assert report["appended"] >= 2
    (shard,) = report["shards"]
    assert shard["connected"]
    assert shard["latency_ms"] is not None


async def test_a_heartbeats_answer_is_measured_from_its_own_sending(ingest, journal):
    """However quick the answer is: on loopback it comes before py-cord's thread has noted the sending."""
    await journal.until(lambda: journal.snapshots)
    (shard,) = ingest._shards
    keeper = shard.socket._keep_alive
    keeper._last_send -= 1_000
    answered = keeper._last_ack
    await shard.socket.send_heartbeat(keeper.get_payload())
    await journal.until(lambda: keeper._last_ack != answered)
    assert keeper.latency < 1_000


async def test_a_lost_connection_is_logged_with_its_shard_and_a_reason(server, ingest, journal):
    with capture_logs() as logs:
        server.gateway.drop(code=4000)
        lost = await journal.until(lambda: next((it for it in logs if it["event"] == "gateway_lost"), None))
    assert lost["shard_id"] == 0
    assert "close code" in lost["reason"]
