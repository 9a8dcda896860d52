"""Bursts: legal histories, exact numbers, sound compression."""

from collections import defaultdict

import msgspec
import pytest

from bot_adapter.simulator import burst, frames
from bot_adapter.simulator.burst import Burst

COUNT = 500


def test_made_up_histories_are_legal_and_seeded(world):
    for name in ("a", "b", "c"):
        world.add_guild(name, voice=("one", "two"))
    payloads = list(frames.voice_state_updates(world, 2000, seed=3))
    assert payloads == list(frames.voice_state_updates(world, 2000, seed=3))
    assert payloads != list(frames.voice_state_updates(world, 2000, seed=4))
    where = defaultdict(lambda: None)
    for update in map(msgspec.json.decode, payloads):
        key = update["guild_id"], update["user_id"]
        if update["channel_id"] is None:
            assert where[key] is not None, "nobody leaves who is not there"
        else:
            assert int(update["channel_id"]) in world.guild(int(update["guild_id"])).channels
        where[key] = update["channel_id"]
    assert len({guild_id for guild_id, _ in where}) == 3


@pytest.mark.parametrize("query", ["?v=10", "?v=10&compress=zlib-stream"])
@pytest.mark.parametrize("rate", [0, 5000])
async def test_a_burst_arrives_whole_between_other_messages(server, connect, ada, query, rate):
    client = await connect(server, query)
    await client.identify()
    await client.until("GUILD_CREATE")
    seq = client.seq
    done = await burst.send(server.gateway, Burst(COUNT, rate=rate))
    assert (done["frames"], done["clients"]) == (COUNT, 1)
    ada.join("General")
    await client.send(1, None)
    await client.until(11)
    dispatches = [it for it in client.seen if it["op"] == 0]
    assert [it["s"] for it in dispatches[-COUNT - 1 :]] == list(range(seq + 1, seq + COUNT + 2))
    assert dispatches[-1]["d"]["user_id"] == str(ada.user_id)


async def test_what_the_world_does_during_a_burst_follows_it(server, connect, ada):
    client = await connect(server)
    await client.identify()
    await client.until("GUILD_CREATE")
    seq = client.seq
    connection = next(iter(server.gateway.connections))
    wire = burst._prepare(server.gateway, connection, Burst(COUNT))
    ada.join("General")
    await burst._transmit(connection, wire, 0)
    burst._release(connection.session, held=False)
    while client.seq <= seq + COUNT:
        await client.next()
    assert [it["s"] for it in client.seen if it["op"] == 0] == list(range(1, seq + COUNT + 2))


async def test_a_burst_can_be_resumed_like_anything_else(server, connect, guild):
    client = await connect(server)
    ready = await client.identify()
    await client.until("GUILD_CREATE")
    seq = client.seq
    await burst.send(server.gateway, Burst(COUNT))
    again = await connect(server)
    await again.resume(ready["session_id"], seq + 100)
    await again.until("RESUMED")
    missed = list(range(seq + 101, seq + COUNT + 2))
    assert [it["s"] for it in again.seen if it["op"] == 0] == missed
