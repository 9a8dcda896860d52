"""The simulator's server: one port on loopback for REST, gateway and ``/sim``."""

import structlog
from aiohttp import web

from bot_adapter.simulator.admin import Admin
from bot_adapter.simulator.faults import Faults
from bot_adapter.simulator.gateway import Gateway, GatewayOptions
from bot_adapter.simulator.messages import MessageBoard
from bot_adapter.simulator.resources import Resources
from bot_adapter.simulator.rest import PREFIX, Rest
from bot_adapter.simulator.world import World

log = structlog.get_logger(__name__)

DEFAULT_TOKEN = "simulator"  # noqa: S105 - it opens nothing but this server on loopback
_SHUTDOWN_S = 1.0


class SimulatorServer:
    """Serves a world. After `start`, ``base_url`` is the root that clients add ``/api/v10`` to.

    ``shards`` is what ``GET /gateway/bot`` recommends. What tests touch is an attribute: ``world``,
    ``gateway`` and ``faults`` to make it misbehave, ``board`` with the messages posted.
    """

    def __init__(
        self,
        world: World,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        options: GatewayOptions | None = None,
        shards: int = 1,
    ) -> None:
        self.world = world
        self.faults = Faults()
        options = options or GatewayOptions(DEFAULT_TOKEN)
        self.gateway = Gateway(world, self.faults, options)
        self.board = MessageBoard(world)
        self.resources = Resources(self.gateway, self.board, shards=shards)
        self._host, self._port = host, port
        self._rest = Rest(self.resources, self.faults, options.token)
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listen. Raises OSError where the port is taken."""
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = runner.addresses[0][1]
        self.gateway.url = f"ws://{self._host}:{self._port}"
        log.info("simulator_started", base_url=self.base_url, guilds=len(self.world.guilds))

    async def stop(self) -> None:
        """Cut all connections and stop listening. A server that was never started is no error."""
        runner, self._runner = self._runner, None
        if runner is not None:
            self.gateway.drop()
            await runner.cleanup()

    def _application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/", self.gateway.accept)
        app.add_subapp(PREFIX, self._rest.application())
        app.add_subapp("/sim", Admin(self.gateway, self.board).application())
        return app
