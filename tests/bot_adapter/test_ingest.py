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
