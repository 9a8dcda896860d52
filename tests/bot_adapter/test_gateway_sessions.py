"""A gateway session from READY through loss and RESUME to the next, as the journal tells it."""

import pytest
from structlog.testing import capture_logs

from bot_adapter import shard
from engine.domain.inputs import GuildsKnown, GuildSnapshot, Heartbeat
from engine.storage.protocols import StorageError


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


async def test_a_gateway_that_is_away_is_tried_again_soon_however_often_it_was_tried(
    server, place, start_ingest, journal, monkeypatch
):
    """No try spends an IDENTIFY: what is waited for longer is only time that nobody watches."""
    monkeypatch.setattr(shard, "AWAY_LIMIT_S", 0.05)
    monkeypatch.setattr(shard, "RETRY_BASE_S", 3600.0)
    ingest, _ = await start_ingest()
    await journal.until(lambda: journal.snapshots)
    server.faults.refuse_gateway(seconds=0.5)
    server.gateway.drop()
    place.join()
    await journal.until(lambda: ingest.counters.resumes == 1)
    assert journal.channels_by_update == [place.rooms[0]]


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
