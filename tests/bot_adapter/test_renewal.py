"""Shards whose sessions are in doubt: each goes on watching until it is its turn to begin a new one."""

import asyncio

import pytest

from bot_adapter.clock import AnchoredClock
from bot_adapter.connection import Connection
from bot_adapter.intake import Counters, Intake
from bot_adapter.shard import IdentifyPace, Shard
from tests.waiting import until_async

SHARDS = 3


class Socket:
    """A connection that is open until it is closed, and has its session at once."""

    silence_s = 1e9
    session_id, sequence, resume_gateway_url = "session", 1, "wss://gateway"
    closed_by_peer = False

    def __init__(self, shard):
        self.socket = type("Wire", (), {"close_code": None})
        self.frame_at = shard.intake.clock.now()
        self._closed = asyncio.Event()
        shard.intake.connection.begin()

    async def close(self, _code):
        self._closed.set()

    async def poll_event(self):
        await self._closed.wait()
        raise OSError("closed")

    async def keep_awake(self):
        """Nothing to note."""


@pytest.fixture
async def shards(monkeypatch):
    """Shards of one bot, all connected, of which only one at a time may begin a session."""
    pace, made = IdentifyPace(0.05), []
    for number in range(SHARDS):
        intake = Intake(Connection("life", number), Collector(), AnchoredClock(), Counters(), lambda: None)
        shard = Shard(intake, pace, number)

        async def opened(_client, shard=shard):
            shard.socket = Socket(shard)
            return shard.socket

        monkeypatch.setattr(shard, "_open", opened)
        made.append(shard)
    tasks = [asyncio.create_task(it.run(None)) for it in made]
    await until_async(lambda: all(it.intake.connection.connected for it in made))
    yield made
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


class Collector:
    def append(self, *inputs):
        """Keep nothing."""


async def test_no_two_shards_are_away_at_once(shards):
    away = []

    def watch():
        away.append([it.shard_id for it in shards if not it.intake.connection.connected])
        return all(it.intake.connection.name.endswith("/2") for it in shards)

    renewals = [asyncio.create_task(it.renew(1)) for it in shards]
    await until_async(watch)
    await asyncio.gather(*renewals)
    assert max(map(len, away)) <= 1


async def test_a_session_that_began_meanwhile_is_left_alone(shards):
    first, *_ = shards
    renewals = [asyncio.create_task(first.renew(1)) for _ in range(2)]
    await asyncio.gather(*renewals)
    await until_async(lambda: first.intake.connection.connected)
    assert first.intake.connection.name == "life/0/2"
