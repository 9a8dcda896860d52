"""Commands that run the daemon or a part of it, replace a part, or check the configuration."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from engine.cli.failure import Failure
from engine.cli.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.config import Config


def run(config: ConfigFile = None) -> int:
    """Run the daemon: all its processes, until SIGTERM or Ctrl-C."""
    from engine.processes import parent

    loaded = _loaded(config, "parent")
    loaded.require_secrets()
    verdict = parent.run(loaded)
    if verdict.reason:
        raise Failure(verdict.reason, verdict.exit_code)
    return verdict.exit_code


def ingest(config: ConfigFile = None) -> int:
    """Run the ingest alone: Discord's gateway into the journal."""
    loaded = _loaded(config, "ingest")
    loaded.require_gateway()
    from engine.daemon import ingest_main

    return _run(ingest_main, loaded)


def engine(config: ConfigFile = None) -> int:
    """Run the engine alone: the journal into the ledger, and HTTP."""
    loaded = _loaded(config, "engine")
    loaded.require_signatures()
    from engine.daemon import engine_main

    return _run(engine_main, loaded)


def simulator(config: ConfigFile = None) -> int:
    """Run the simulated Discord alone."""
    loaded = _loaded(config, "simulator")
    from engine.daemon import simulator_main

    return simulator_main(loaded)


def redis(config: ConfigFile = None) -> int:
    """Prepare the embedded server, and become it."""
    loaded = _loaded(config, "redis")
    from engine.processes.lifeline import become
    from engine.storage.embedded import EmbeddedServer
    from engine.storage.protocols import StorageUnfit

    server = EmbeddedServer(loaded.data_dir, loaded.redis_socket)
    try:
        server.prepare()
    except StorageUnfit as error:
        raise Failure(str(error), exit_code=2) from error  # trying again would not help
    become(server.command())


def restart(
    name: Annotated[
        Literal["engine", "ingest"], typer.Argument(help="The process to replace.", metavar="NAME")
    ],
    config: ConfigFile = None,
) -> int:
    """Replace a process of the running daemon; nothing is lost meanwhile."""
    from engine.config import load
    from engine.processes.control import ControlError, ask

    try:
        process = ask(load(config).control_socket, {"do": "restart", "name": name})
    except (ConnectionError, ControlError) as error:
        raise Failure(f"{error}{_HINT if isinstance(error, ConnectionError) else ''}") from error
    print(f"{name} runs anew as process {process['pid']}")
    return 0


_HINT = ": is `rollcall run` running?"


def check_config(config: ConfigFile = None, as_json: AsJson = False) -> int:
    """Check the configuration and tell all that is wrong with it."""
    from engine.config import DEFAULT_FILE, ConfigError, examine
    from engine.daemon import tracker_problems

    place = str(config or DEFAULT_FILE)
    try:
        loaded, problems = examine(config)
        problems += [f"{place}: {it}" for it in (*loaded.missing_secrets, *tracker_problems(loaded))]
    except ConfigError as error:
        problems = error.problems
    missing = config is None and not Path(place).exists()
    if as_json:
        import json

        print(json.dumps({"file": place, "problems": problems}))
    else:
        _tell_problems(f"{place}: not there, the defaults hold" if missing else f"{place}: fine", problems)
    return 2 if problems else 0


def _tell_problems(none: str, problems: list[str]) -> None:
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(none)


def _run(main: "Callable[[Config], int]", config: "Config") -> int:
    """Run a process; the parent does not try again what ends with 2."""
    from engine.storage.protocols import StorageUnfit

    try:
        return main(config)
    except StorageUnfit as error:
        raise Failure(str(error), exit_code=2) from error


def _loaded(path: ConfigFile, process: str) -> "Config":
    """Load the configuration of a long-running process, and let it log."""
    from engine import log
    from engine.config import load

    os.umask(0o077)  # what the daemon writes says who was where
    config = load(path)
    log.configure(process, level=config.log.level, form=config.log.format, secrets=config.secrets)
    return config
