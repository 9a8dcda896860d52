"""The gateway's protocol, seen by a bare client."""

import pytest

from bot_adapter.simulator.connection import SENDS_PER_MINUTE
from engine.domain.ids import shard_of

MEMBERS = 2
PRESENCES = 256


async def test_login_tells_of_each_guild_as_unavailable_first_and_whole_then(client, world, guild, ids, ada):
    ada.join("General", self_mute=True)
    ready = await client.identify()
    create = (await client.until("GUILD_CREATE"))["d"]
    assert ready["guilds"] == [{"id": str(guild.guild_id), "unavailable": True}]
    assert ready["user"]["id"] == str(world.bot.user_id)
    assert create["afk_channel_id"] == str(ids["AFK"])
    assert {it["name"] for it in create["channels"]} == {"chat", "General", "Study", "Stage", "AFK"}
    [state] = create["voice_states"]
    assert (state["user_id"], state["channel_id"]) == (str(ids["ada"]), str(ids["General"]))
    assert state["self_mute"] is True
    assert "guild_id" not in state
    assert {it["user"]["username"] for it in create["members"]} == {"ada", "rollcall"}


async def test_an_unavailable_guild_is_announced_and_not_described(client, world, guild):
    other = world.add_guild("Makers")
    world.set_unavailable(guild.guild_id)
    ready = await client.identify()
    create = await client.until("GUILD_CREATE")
    assert len(ready["guilds"]) == 2
    assert create["d"]["id"] == str(other.guild_id)


async def test_members_of_voice_can_be_left_out_of_the_snapshot(serve, connect, world, ada):
    ada.join("General")
    client = await connect(await serve(world, members_of_voice=False))
    await client.identify()
    create = (await client.until("GUILD_CREATE"))["d"]
    assert len(create["voice_states"]) == 1
    assert [it["user"]["username"] for it in create["members"]] == ["rollcall"]


@pytest.mark.parametrize("query", ["?v=10&encoding=json", "?v=10&encoding=json&compress=zlib-stream"])
async def test_sequence_numbers_count_up_by_one(server, connect, ids, query, ada):
    client = await connect(server, query)
    await client.identify()
    await client.until("GUILD_CREATE")
    ada.join("General")
    ada.move("Study")
    ada.leave()
    updates = [await client.until("VOICE_STATE_UPDATE") for _ in range(3)]
    assert [it["s"] for it in client.seen if it["op"] == 0] == [1, 2, 3, 4, 5]
    channels = [str(ids["General"]), str(ids["Study"]), None]
    assert [it["d"]["channel_id"] for it in updates] == channels
    assert len({it["d"]["session_id"] for it in updates}) == 1


async def test_a_resume_brings_exactly_what_was_missed(server, connect, client, ada):
    session_id, _ = await client.log_in()
    ada.join("General")
    await client.until("VOICE_STATE_UPDATE")
    seq = client.seq
    server.gateway.drop()
    assert await client.close_code() == 1006
    ada.move("Study")
    ada.leave()

    again = await connect(server)
    await again.resume(session_id, seq)
    await again.until("RESUMED")
    told = [(it["s"], it["t"]) for it in again.seen if it["op"] == 0]
    missed = [(seq + 1, "VOICE_STATE_UPDATE"), (seq + 2, "VOICE_STATE_UPDATE")]
    assert told == [*missed, (seq + 3, "RESUMED")]
    ada.join("General")
    assert (await again.until("VOICE_STATE_UPDATE"))["s"] == seq + 4


async def test_a_resume_can_ask_for_what_was_sent_already(server, connect, client, ada):
    session_id, seq = await client.log_in()
    ada.join("General")
    await client.until("VOICE_STATE_UPDATE")
    server.gateway.drop()
    again = await connect(server)
    await again.resume(session_id, seq)
    await again.until("RESUMED")
    assert again.seen[1] == client.seen[-1]


async def test_a_resume_on_a_second_line_takes_the_session_over(server, connect, client, ada):
    session_id, seq = await client.log_in()
    again = await connect(server)
    await again.resume(session_id, seq)
    await again.until("RESUMED")
    assert await client.close_code() == 4000
    ada.join("General")
    assert (await again.until("VOICE_STATE_UPDATE"))["s"] == seq + 2


async def test_an_unknown_session_is_invalid_and_the_client_may_identify_at_once(client):
    await client.resume("nobody", 3)
    assert (await client.until(9))["d"] is False
    await client.send(2, {"token": "simulator", "intents": 1})
    assert (await client.until("READY"))["s"] == 1


async def test_what_fell_out_of_the_replay_cannot_be_resumed(serve, connect, world, ada):
    server = await serve(world, replay_max=3)
    client = await connect(server)
    session_id, seq = await client.log_in()
    server.gateway.drop()
    await client.close_code()
    ada.join("General")
    for channel in ("Study", "General", "Study"):
        ada.move(channel)
    again = await connect(server)
    await again.resume(session_id, seq)
    assert (await again.until(9))["d"] is False


@pytest.mark.usefixtures("guild")
async def test_a_session_left_alone_too_long_is_invalid(serve, connect, eventually, world):
    server = await serve(world, resume_window_s=0.0)
    client = await connect(server)
    session_id, seq = await client.log_in()
    server.gateway.drop()
    await eventually(lambda: server.gateway.sessions[session_id].wire is None)
    again = await connect(server)
    await again.resume(session_id, seq)
    assert (await again.until(9))["d"] is False


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"token": "wrong", "intents": 1}, 4004),
        ({"token": "simulator"}, 4013),
        ({"token": "simulator", "intents": 1 << 40}, 4013),
        ({"token": "simulator", "intents": 1, "shard": [2, 2]}, 4010),
        ({"token": "simulator", "intents": 1, "shard": "none"}, 4010),
        ({"token": "simulator", "intents": 1 | PRESENCES}, 4014),
        (None, 4002),
    ],
)
async def test_a_bad_identify_ends_with_discords_close_code(serve, connect, world, data, code):
    client = await connect(await serve(world, privileged_intents=MEMBERS))
    await client.until(10)
    await client.send(2, data)
    assert await client.close_code() == code


@pytest.mark.parametrize(
    ("op", "data", "code"),
    [(99, None, 4001), (8, {"guild_id": "1"}, 4003), (6, {"token": "wrong"}, 4004)],
)
async def test_a_misplaced_opcode_ends_with_discords_close_code(client, op, data, code):
    await client.until(10)
    await client.send(op, data)
    assert await client.close_code() == code


async def test_a_second_identify_a_future_seq_and_nonsense_end_the_connection(server, connect, client):
    session_id, seq = await client.log_in()
    await client.send(2, {"token": "simulator", "intents": 1})
    assert await client.close_code() == 4005
    again = await connect(server)
    await again.resume(session_id, seq + 100)
    assert await again.close_code() == 4007
    third = await connect(server)
    await third.ws.send_str("{nonsense")
    assert await third.close_code() == 4002
    assert await (await connect(server, "?v=6")).close_code() == 4012


async def test_a_client_that_talks_too_much_is_cut_off(client):
    await client.identify()
    for _ in range(SENDS_PER_MINUTE):
        await client.send(3, {})
    assert await client.close_code() == 4008


async def test_heartbeats_are_answered_and_silence_ends_the_connection(serve, connect, world):
    server = await serve(world, heartbeat_interval_ms=50)
    client = await connect(server)
    assert (await client.until(10))["d"]["heartbeat_interval"] == 50
    await client.send(1, None)
    await client.until(11)
    assert await client.close_code() == 4009


async def test_each_shard_carries_the_guilds_of_the_formula(server, connect, world, guild):
    guilds = {guild.guild_id, *(world.add_guild(f"g{index}").guild_id for index in range(9))}
    carried = []
    for shard_id in range(2):
        client = await connect(server)
        ready = await client.identify(shard=[shard_id, 2])
        mine = {int(it["id"]) for it in ready["guilds"]}
        assert ready["shard"] == [shard_id, 2]
        assert mine == {it for it in guilds if shard_of(it, 2) == shard_id}
        carried.append(mine)
    assert all(carried)


async def test_intents_decide_what_is_told(server, connect, world, ada):
    plain, with_members, no_voice = [await connect(server) for _ in range(3)]
    await plain.identify(intents=1 | 128)
    await with_members.identify(intents=1 | 128 | MEMBERS)
    await no_voice.identify(intents=1)
    ada.join("General")
    world.set_roles(ada.guild_id, ada.user_id, (world.add_role(ada.guild_id, "crew").role_id,))
    world.set_roles(ada.guild_id, world.bot.user_id, ())
    world.rename_guild(ada.guild_id, "Port")
    for client in (plain, with_members, no_voice):
        await client.until("GUILD_UPDATE")
    assert len(plain.dispatches("VOICE_STATE_UPDATE")) == 1
    assert no_voice.dispatches("VOICE_STATE_UPDATE") == []
    told = [
        [it["user"]["username"] for it in c.dispatches("GUILD_MEMBER_UPDATE")] for c in (plain, with_members)
    ]
    assert told == [["rollcall"], ["ada", "rollcall"]], "of itself the bot hears without the intent"


async def test_members_are_sent_on_request(client, guild, ids):
    await client.identify()
    request = {"guild_id": guild.guild_id, "user_ids": [ids["ada"], "5"], "limit": 0, "nonce": "n"}
    await client.send(8, request)
    chunk = (await client.until("GUILD_MEMBERS_CHUNK"))["d"]
    assert [it["user"]["username"] for it in chunk["members"]] == ["ada"]
    assert chunk["not_found"] == ["5"]
    assert (chunk["chunk_index"], chunk["chunk_count"], chunk["nonce"]) == (0, 1, "n")
    await client.send(8, {"guild_id": str(guild.guild_id), "query": "", "limit": 0})
    assert (await client.until("GUILD_MEMBERS_CHUNK"))["d"]["members"] == [], "all of them need the intent"


async def test_the_bot_itself_can_join_move_and_leave(client, guild, ids, world):
    await client.identify()
    await client.until("GUILD_CREATE")
    for channel_id in (ids["General"], ids["Study"], ids["Study"], None):
        data = {
            "guild_id": str(guild.guild_id),
            "channel_id": channel_id,
            "self_mute": False,
            "self_deaf": True,
        }
        await client.send(4, data)
        update = (await client.until("VOICE_STATE_UPDATE"))["d"]
        assert update["user_id"] == str(world.bot.user_id)
        assert update["channel_id"] == (channel_id and str(channel_id))
    assert [it.bot for it in world.truth.presences] == [True, True]
