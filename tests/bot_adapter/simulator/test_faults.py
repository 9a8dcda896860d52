"""The gateway's misbehaviour on demand, seen by a bare client."""

import pytest


async def test_a_forgotten_session_is_invalid(server, connect, client):
    session_id, seq = await client.log_in()
    server.gateway.drop(resumable=False)
    again = await connect(server)
    await again.resume(session_id, seq)
    assert (await again.until(9))["d"] is False


@pytest.mark.parametrize("resumable", [True, False])
async def test_a_refused_resume_says_whether_to_try_again(server, connect, client, resumable):
    session_id, seq = await client.log_in()
    server.faults.refuse_resumes(resumable=resumable)
    server.gateway.drop()
    for answer in (9, "RESUMED" if resumable else 9):
        again = await connect(server)
        await again.resume(session_id, seq)
        told = await again.until(answer)
        assert told["d"] is resumable if answer == 9 else told["s"] == seq + 1


async def test_beats_are_demanded_and_acks_swallowed_on_request(server, client):
    await client.identify()
    server.gateway.demand_heartbeat()
    assert (await client.until(1))["d"] is None
    server.faults.swallow_acks = True
    await client.send(1, client.seq)
    server.faults.swallow_acks = False
    await client.send(1, client.seq)
    await client.until(11)
    assert [it["op"] for it in client.seen].count(11) == 1


async def test_a_pause_holds_dispatches_back_and_loses_none(server, client, ids, ada):
    await client.log_in()
    server.gateway.pause()
    ada.join("General")
    ada.leave()
    await client.send(1, None)
    await client.until(11)
    assert client.dispatches("VOICE_STATE_UPDATE") == []
    server.gateway.unpause()
    updates = [await client.until("VOICE_STATE_UPDATE") for _ in range(2)]
    assert [it["d"]["channel_id"] for it in updates] == [str(ids["General"]), None]


async def test_raw_text_reconnects_and_invalid_sessions_reach_every_client(server, connect, client):
    other = await connect(server)
    for each in (client, other):
        await each.identify()
    server.gateway.send_raw('{"t":"VOICE_STATE_UPDATE","s":null,"op":0,"d":17}')
    server.gateway.ask_reconnect()
    server.gateway.invalidate(resumable=True)
    server.gateway.drop(code=4000)
    for each in (client, other):
        assert (await each.until("VOICE_STATE_UPDATE"))["d"] == 17
        await each.until(7)
        assert (await each.until(9))["d"] is True
        assert await each.close_code() == 4000


async def test_after_an_invalid_session_a_client_identifies_on_the_same_line(server, client):
    session_id, _ = await client.log_in()
    server.gateway.invalidate()
    assert (await client.until(9))["d"] is False
    await client.send(2, {"token": "simulator", "intents": 1})
    ready = await client.until("READY")
    assert ready["d"]["session_id"] != session_id


async def test_a_refusing_gateway_answers_503(server, http):
    server.faults.refuse_gateway(60)
    async with http.get(server.base_url + "/?v=10") as response:
        assert response.status == 503
    server.faults.refuse_gateway(0)
    async with http.ws_connect(server.gateway.url) as ws:
        assert (await ws.receive_json())["op"] == 10
