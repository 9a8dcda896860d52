"""Send prebuilt updates to every client, as fast as it takes them or at a given rate."""

import asyncio
import time
from dataclasses import dataclass

from bot_adapter.simulator import frames
from bot_adapter.simulator.connection import Connection
from bot_adapter.simulator.gateway import Gateway
from bot_adapter.simulator.sessions import Session
from bot_adapter.simulator.structure import WorldError

_CHUNK = 64  # frames to one write, when speed is all that matters
_BUFFER_MAX = 256 * 1024  # bytes; above, the client is slower than we are
_TICK_S = 0.001


@dataclass(frozen=True, slots=True)
class Burst:
    """What to send: so many updates, ``rate`` a second (0: as fast as the client reads)."""

    count: int
    rate: float = 0.0
    seed: int = 1
    members_per_guild: int = 20


async def send(gateway: Gateway, burst: Burst) -> dict[str, float]:
    """Send a burst to each connected session, and return what was sent in which time.

    Everything is encoded before the clock starts. What the world does meanwhile follows afterwards.
    """
    targets = [it for it in gateway.connections if it.session is not None]
    if not targets:
        raise WorldError("no client is connected")
    prepared = [(connection, _prepare(gateway, connection, burst)) for connection in targets]
    started = time.perf_counter()
    try:
        await asyncio.gather(*(_transmit(connection, wire, burst.rate) for connection, wire in prepared))
    finally:
        for session in gateway.sessions.values():
            _release(session, held=gateway.faults.paused)
    seconds = time.perf_counter() - started
    return {"frames": burst.count, "clients": len(targets), "seconds": seconds}


def _prepare(gateway: Gateway, connection: Connection, burst: Burst) -> list[bytes]:
    session = connection.session
    assert session is not None
    updates = frames.voice_state_updates(
        gateway.world, burst.count, seed=burst.seed, members_per_guild=burst.members_per_guild
    )
    dispatches = frames.numbered(updates, session.seq + 1)
    session.held = True
    session.reserve(dispatches)
    return frames.on_the_wire(dispatches, compressed=connection.compressed)


def _release(session: Session, *, held: bool) -> None:
    session.held = held
    session.flush()


async def _transmit(connection: Connection, wire: list[bytes], rate: float) -> None:
    started, sent = time.perf_counter(), 0
    while sent < len(wire):
        due = int((time.perf_counter() - started) * rate) + 1 if rate else sent + _CHUNK
        chunk = wire[sent:due]
        waiting = connection.write_encoded(b"".join(chunk)) if chunk else 0
        sent += len(chunk)
        if rate or waiting > _BUFFER_MAX:
            await asyncio.sleep(_TICK_S)
        else:
            await asyncio.sleep(0)
