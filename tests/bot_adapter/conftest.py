"""A small guild on the simulator, a journal that collects, and an ingest between them."""

import asyncio
from dataclasses import dataclass

import pytest

from bot_adapter.client import ClientSettings
from bot_adapter.clock import AnchoredClock
from bot_adapter.ingest import Ingest, IngestSettings
from bot_adapter.simulator.gateway import GatewayOptions
from bot_adapter.simulator.server import DEFAULT_TOKEN, SimulatorServer
from bot_adapter.simulator.world import World
from engine.domain.inputs import GuildSnapshot, Heartbeat, VoiceStateChanged
from tests.waiting import until_async


class CollectingJournal:
    """An Appender that keeps what it is given. Where ``full`` is set, it raises that."""

    def __init__(self):
        self.inputs = []
        self.full = None

    def append(self, *inputs):
        if self.full is not None:
            raise self.full
        self.inputs.extend(inputs)

    def of(self, kind):
        return [it for it in self.inputs if isinstance(it, kind)]

    async def until(self, condition):
        """Wait for something to become true, and return it."""
        return await until_async(condition)

    @property
    def snapshots(self):
        return self.of(GuildSnapshot)

    @property
    def voice(self):
        return self.of(VoiceStateChanged)

    @property
    def channels_by_update(self):
        return [it.channel_id for it in self.voice]

    @property
    def last_beat(self):
        return self.of(Heartbeat)[-1].shards

    @property
    def facts(self):
        return [it for it in self.inputs if not isinstance(it, Heartbeat)]


@dataclass
class Place:
    """One guild with two voice channels and three people."""

    world: World
    guild_id: int
    rooms: list
    people: list

    def join(self, who=0, room=0):
        self.world.join(self.guild_id, self.people[who], self.rooms[room])

    def move(self, who=0, room=1):
        self.world.move(self.guild_id, self.people[who], self.rooms[room])

    def leave(self, who=0):
        self.world.leave(self.guild_id, self.people[who])


@pytest.fixture
def journal():
    return CollectingJournal()


@pytest.fixture
def place():
    world = World()
    guild = world.add_guild("Harbour", voice=("Pier", "Deck"), afk="Bunk")
    rooms = [it.channel_id for it in guild.channels.values() if it.name in {"Pier", "Deck"}]
    people = [world.add_member(guild.guild_id, name).user.user_id for name in ("ann", "bob", "cid")]
    return Place(world, guild.guild_id, rooms, people)


@pytest.fixture
def gateway_options():
    return GatewayOptions(DEFAULT_TOKEN)


@pytest.fixture
async def server(place, gateway_options):
    server = SimulatorServer(place.world, options=gateway_options)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def start_ingest(server, journal):
    """Return a function that starts an ingest against the simulator; each is stopped at the end."""
    running = []

    async def start(*, receiver=None, publish=None, token=DEFAULT_TOKEN, opt_out=frozenset(), **client):
        client = {"identify_interval_s": 0.01, "api_base_url": server.base_url} | client
        settings = IngestSettings("life", ClientSettings(token, **client), opt_out)
        ingest = Ingest(settings, journal, AnchoredClock(), receiver, publish)
        running.append((ingest, asyncio.create_task(ingest.run())))
        return running[-1]

    yield start
    for ingest, task in running:
        if not task.done():
            await ingest.stop()
        await asyncio.wait([task])


@pytest.fixture
async def ingest(start_ingest, journal):
    """An ingest that has seen the guild."""
    ingest, _ = await start_ingest()
    await journal.until(lambda: journal.snapshots)
    return ingest
