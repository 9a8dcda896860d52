"""``rollcall run``: the daemon's parent process, from its lock to its exit code."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import structlog

from engine import directories
from engine.config import Config
from engine.processes.child import ChildSpec
from engine.processes.control import serving
from engine.processes.engine_health import ask_engine
from engine.processes.lifeline import Lifeline
from engine.processes.notify import Answer, informed
from engine.processes.specs import child_specs
from engine.processes.supervisor import Supervisor, Verdict
from engine.storage.lock import DataDirLock

_log = structlog.get_logger(__name__)


def run(config: Config) -> Verdict:
    """Run the daemon until it is told to stop, and return how that ended.

    SIGTERM, SIGINT and SIGHUP (the terminal was closed; ignored under nohup) stop all within ten seconds, a
    second one at once. Raises ``ConfigError`` where the folders cannot be used, ``StorageError`` where
    another daemon uses them.
    """
    config.require_gateway()
    directories.prepare(config)
    with DataDirLock(config.data_dir):
        _announce(config)
        ask = partial(ask_engine, config.api_socket)
        return asyncio.run(supervise(config.control_socket, child_specs(config), ask))


async def supervise(
    control_socket: Path, specs: list[ChildSpec], ask: Callable[[], Awaitable[Answer]]
) -> Verdict:
    """Run the children, answer on the control socket and keep the service manager informed until the end.

    ``ask``: how the engine is.
    """
    with Lifeline() as lifeline:
        supervisor = Supervisor(specs, lifeline)
        _stop_on_signals(supervisor)
        async with serving(control_socket, supervisor), informed(supervisor, ask):
            verdict = await supervisor.run()
    _log.info("stopped", exit_code=verdict.exit_code)
    return verdict


def _stop_on_signals(supervisor: Supervisor) -> None:
    loop = asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        _log.info("stopping", on=number.name)
        supervisor.end(Verdict(0))

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, stop, number)


def _announce(config: Config) -> None:
    """Tell where things are, and, in a demo, that nobody in it is real."""
    _log.info(
        "starting",
        config=str(config.source or "built-in defaults"),
        data_dir=str(config.data_dir),
        socket=str(config.api_socket),
        api=f"http://{config.api.host}:{config.api.port}",
        redis="embedded" if config.embedded_redis else "external",
    )
    if config.demo:
        _log.warning(
            "simulated_community",
            why="there is no DISCORD_TOKEN"
            if config.discord.token is None
            else "discord.gateway = 'simulator'",
            to_track_a_real_one="set DISCORD_TOKEN in the environment and start again",
        )
