"""An ingest's life: it stops when asked, at any moment, and says what it did."""

import asyncio

from bot_adapter import shard
from bot_adapter.simulator.sessions import frame
from engine.domain.inputs import Heartbeat


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


async def test_what_is_missing_in_the_journal_is_asked_for_anew_once(place, start_ingest, journal):
    holes, publications = [], []

    def publish(report):
        publications.append(report)
        return holes

    await start_ingest(publish=publish)
    await journal.until(lambda: journal.snapshots)
    place.join()
    await journal.until(lambda: journal.voice)
    since = journal.snapshots[0].at
    holes += [("life/0/1", since), ("life/1/1", 7), ("life-before", 7)]
    snapshot = await journal.until(lambda: len(journal.snapshots) > 1 and journal.snapshots[1])
    assert snapshot.connection == "life/0/2"
    assert [it.user_id for it in snapshot.voice_states] == [place.people[0]]
    old = [it for beat in journal.of(Heartbeat) for it in beat.shards if it.connection == "life/0/1"]
    assert (old[-1].connected, old[-1].alive_at) == (False, since)
    told = len(publications)
    await journal.until(lambda: len(publications) > told + 1)
    assert publications[-1]["identifies"] == 2


async def test_a_hole_that_is_told_of_while_the_gateway_is_away_ends_in_a_new_session_too(
    server, place, start_ingest, journal
):
    holes = []
    ingest, _ = await start_ingest(publish=lambda _: holes)
    await journal.until(lambda: journal.snapshots)
    server.faults.refuse_gateway(seconds=2.5)
    server.gateway.drop()
    await journal.until(lambda: ingest.counters.reconnects)
    place.join()
    holes.append(("life", journal.snapshots[0].at))
    snapshot = await journal.until(lambda: len(journal.snapshots) > 1 and journal.snapshots[1])
    assert [it.user_id for it in snapshot.voice_states] == [place.people[0]]
    assert (ingest.counters.resumes, snapshot.connection) == (0, "life/0/2")
    old = [it for beat in journal.of(Heartbeat) for it in beat.shards if it.connection == "life/0/1"]
    assert old[-1].alive_at == holes[0][1]


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
