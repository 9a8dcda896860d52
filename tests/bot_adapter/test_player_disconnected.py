"""A player that nobody listens to is taken out of voice, over the gateway, whoever made it play."""

import pytest

from bot_adapter import outbox
from engine.domain.inputs import OutboxOutcome, VoiceStateChanged
from engine.domain.tracker_effects import DisconnectPlayer
from tests.bot_adapter.pending import PendingEffects


@pytest.fixture
def receiver():
    return PendingEffects()


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(outbox, "RETRY_BASE_S", 0.01)


def playing(place):
    bot_id = place.world.bot.user_id
    place.world.join(place.guild_id, bot_id, place.rooms[0])
    return bot_id, DisconnectPlayer("disconnect-1", place.guild_id, place.rooms[0], 1)


async def test_the_bot_leaves_its_voice_channel(start_ingest, receiver, journal, place):
    bot_id, effect = playing(place)
    await start_ingest(receiver=receiver)
    receiver.put(effect)
    left = await journal.until(
        lambda: [it for it in journal.of(VoiceStateChanged) if it.user_id == bot_id and it.channel_id is None]
    )
    assert left[0].bot
    assert bot_id not in place.world.guild(place.guild_id).voice
    await journal.until(lambda: receiver.done_ids)
    (outcome,) = journal.of(OutboxOutcome)
    assert (outcome.outbox_id, outcome.ok) == ("disconnect-1", True)


async def test_leaving_twice_is_harmless(start_ingest, receiver, journal, place):
    _, effect = playing(place)
    await start_ingest(receiver=receiver)
    receiver.put(effect)
    await journal.until(lambda: len(receiver.done_ids) == 1)
    receiver.put(DisconnectPlayer("disconnect-2", effect.guild_id, effect.channel_id, 2))
    await journal.until(lambda: len(receiver.done_ids) == 2)
    assert [it.ok for it in journal.of(OutboxOutcome)] == [True, True]


async def test_while_the_gateway_is_away_it_waits(start_ingest, receiver, journal, place, server):
    bot_id, effect = playing(place)
    await start_ingest(receiver=receiver)
    server.gateway.faults.refuse_gateway(1.0)
    server.gateway.drop()
    receiver.put(effect)
    await journal.until(lambda: receiver.handed_out)
    assert bot_id in place.world.guild(place.guild_id).voice
    await journal.until(lambda: receiver.done_ids)
    await journal.until(lambda: bot_id not in place.world.guild(place.guild_id).voice)
