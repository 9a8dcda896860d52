"""A served world, and a bare gateway client that shows each frame."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable

import aiohttp

# Where these tests run alone, its pytest plugin would import it as the session ends. That parsing would meet
# their garbage, and CPython before 3.11.8 may then fail (python/cpython#106905).
import hypothesis  # noqa: F401
import msgspec
import pytest

from bot_adapter.simulator.gateway import GatewayOptions
from bot_adapter.simulator.server import DEFAULT_TOKEN, SimulatorServer
from bot_adapter.simulator.world import World
from tests.waiting import until_async

PATIENCE_S = 10.0
USUAL_INTENTS = 1 | 128


class Client:
    """One websocket to the gateway. Every message is kept in ``seen``."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.seen: list[dict] = []
        self._inflator = zlib.decompressobj()

    async def next(self) -> dict:
        message = await asyncio.wait_for(self.ws.receive(), PATIENCE_S)
        if message.type is aiohttp.WSMsgType.BINARY:
            assert message.data.endswith(b"\x00\x00\xff\xff")
            self.seen.append(msgspec.json.decode(self._inflator.decompress(message.data)))
        elif message.type is aiohttp.WSMsgType.TEXT:
            self.seen.append(msgspec.json.decode(message.data))
        else:
            raise ConnectionError(message.type, self.ws.close_code)
        return self.seen[-1]

    async def until(self, name: str | int) -> dict:
        """Read up to a dispatch of this name, or an opcode."""
        while True:
            message = await self.next()
            if name in (message["t"], message["op"]) and (message["t"] is not None or isinstance(name, int)):
                return message

    async def close_code(self) -> int:
        """Read to the end, and return the close code."""
        try:
            while True:
                await self.next()
        except ConnectionError:
            return self.ws.close_code

    async def send(self, op: int, data) -> None:
        await self.ws.send_json({"op": op, "d": data})

    async def identify(self, *, intents: int = USUAL_INTENTS, token: str = DEFAULT_TOKEN, **more) -> dict:
        await self.until(10)
        await self.send(2, {"token": token, "intents": intents, "properties": {}, **more})
        return (await self.until("READY"))["d"]

    async def log_in(self) -> tuple[str, int]:
        """Identify, read up to the first guild, and return what a RESUME needs."""
        ready = await self.identify()
        await self.until("GUILD_CREATE")
        return ready["session_id"], self.seq

    async def resume(self, session_id: str, seq: int, token: str = DEFAULT_TOKEN) -> None:
        await self.until(10)
        await self.send(6, {"token": token, "session_id": session_id, "seq": seq})

    def dispatches(self, name: str) -> list[dict]:
        return [it["d"] for it in self.seen if it["t"] == name]

    @property
    def seq(self) -> int:
        return max(it["s"] for it in self.seen if it["s"] is not None)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def serve() -> AsyncIterator[Callable]:
    """Serve a world with some gateway options; stopped at the test's end."""
    servers: list[SimulatorServer] = []

    async def start(world: World, *, shards: int = 1, **options) -> SimulatorServer:
        options = GatewayOptions(**{"token": DEFAULT_TOKEN, **options})
        server = SimulatorServer(world, options=options, shards=shards)
        servers.append(server)
        await server.start()
        return server

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
def world() -> World:
    return World(seed=7)


@pytest.fixture
def guild(world):
    """A guild with two voice channels, an AFK channel, and the members ada and otto."""
    guild = world.add_guild("Harbour", voice=("General", "Study"), stage="Stage", afk="AFK")
    world.add_member(guild.guild_id, "ada")
    world.add_member(guild.guild_id, "otto")
    return guild


@pytest.fixture
def ids(guild) -> dict[str, int]:
    """Ids by name: channels and members of `guild`."""
    channels = {it.name: it.channel_id for it in guild.channels.values()}
    return channels | {it.user.username: it.user.user_id for it in guild.members.values()}


class Person:
    """A member who acts, in channels by their names."""

    def __init__(self, world: World, guild_id: int, user_id: int, ids: dict[str, int]) -> None:
        self.world, self.guild_id, self.user_id, self.ids = world, guild_id, user_id, ids

    def join(self, channel: str, **how) -> None:
        self.world.join(self.guild_id, self.user_id, self.ids[channel], **how)

    def move(self, channel: str) -> None:
        self.world.move(self.guild_id, self.user_id, self.ids[channel])

    def leave(self) -> None:
        self.world.leave(self.guild_id, self.user_id)

    def set(self, **flags: bool) -> None:
        self.world.set_voice(self.guild_id, self.user_id, **flags)


@pytest.fixture
def ada(world, guild, ids) -> Person:
    return Person(world, guild.guild_id, ids["ada"], ids)


@pytest.fixture
def otto(world, guild, ids) -> Person:
    return Person(world, guild.guild_id, ids["otto"], ids)


@pytest.fixture
async def server(serve, world, guild) -> SimulatorServer:
    return await serve(world)


@pytest.fixture
def connect(http) -> Callable:
    """Open a bare gateway connection to a server."""

    async def connect(server: SimulatorServer, query: str = "?v=10&encoding=json") -> Client:
        return Client(await http.ws_connect(server.gateway.url + "/" + query, autoclose=True))

    return connect


@pytest.fixture
async def client(server, connect) -> Client:
    return await connect(server)


@pytest.fixture
def call(http, server):
    """Request a path of the API with the right token; returns (status, body, headers)."""

    async def call(method: str, path: str, body=None, *, token: str = "simulator"):
        url = server.base_url + "/api/v10" + path
        headers = {"Authorization": f"Bot {token}"}
        async with http.request(method, url, json=body, headers=headers) as response:
            return (
                response.status,
                await response.json() if response.status != 204 else None,
                response.headers,
            )

    return call


@pytest.fixture
def eventually() -> Callable:
    """``await eventually(condition)``: wait until it holds."""
    return until_async
