"""A socket whose reader was stopped: what waits in it is behind the answers to heartbeats sent before."""

import asyncio
import json

import pytest

from bot_adapter.connection import STALL_MS, Connection
from bot_adapter.gateway import GatewaySocket
from bot_adapter.intake import Counters, Intake

HELLO, HEARTBEAT, ACK = 10, 1, 11


class Clock:
    at = 1_000_000

    def now(self):
        return self.at


class Wire:
    close_code = None

    async def send_str(self, _text):
        """Send nowhere."""


class Owner:
    silence_s = socket = None

    def __init__(self, clock, journal):
        self.intake = Intake(Connection("life", 0), journal, clock, Counters(), lambda: None)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def socket(clock, journal):
    """A socket that has greeted, and whose session has begun."""
    owner = Owner(clock, journal)
    made = type("Socket", (GatewaySocket,), {"owner": owner})(Wire(), loop=asyncio.get_running_loop())
    made._connection, made.shard_id, made._rate_limiter.shard_id = None, 0, 0
    made._dispatch = lambda *_: None
    await made.received_message(json.dumps({"op": HELLO, "d": {"heartbeat_interval": 41_250}}))
    await answered(made)
    owner.intake.connection.begin()
    await made.keep_awake()
    yield made
    made._keep_alive.stop()


async def answered(socket):
    await socket.received_message(json.dumps({"op": ACK, "d": None}))


@pytest.mark.parametrize("asked", [0, 2])
async def test_the_answer_to_a_heartbeat_of_before_the_stall_proves_nothing(socket, clock, asked):
    """Whether py-cord sent it by its clock, at HELLO, or because Discord asked for one."""
    for _ in range(asked):
        await socket.received_message(json.dumps({"op": HEARTBEAT, "d": None}))
        await answered(socket)
    await socket.send_heartbeat({"op": HEARTBEAT, "d": 1})
    stalled_at, connection = clock.at, socket.owner.intake.connection
    clock.at += 60 * STALL_MS
    await answered(socket)  # it waited all the while
    assert connection.replayed_from == stalled_at
    await answered(socket)  # to the one that was sent after it
    assert connection.replayed_from is None
