"""The only wiring: each process's parts, started in order and stopped in reverse.

Every ``..._main`` runs one process until SIGTERM or its own end and returns the exit code. Imports stand
inside, so that a process loads only what it runs.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from engine.config import Config


def engine_main(config: "Config") -> int:
    """Run the engine: the journal into the ledger, HTTP beside it."""
    from engine.daemon import engine

    return engine.main(config)


def ingest_main(config: "Config") -> int:
    """Run the ingest: Discord's gateway into the journal."""
    from engine.daemon import ingest

    return ingest.main(config)


def simulator_main(config: "Config") -> int:
    """Run the simulated Discord and its community."""
    from engine.daemon import simulator

    return simulator.main(config)


def backup_made(config: "Config", target: "Path | None") -> "dict[str, Any]":
    """Make a backup of the ledger and return what there is to say of it. Raises ``StorageError``."""
    from engine.daemon import backups

    return backups.described(backups.backup_now(config, target))


def tracker_problems(config: "Config") -> list[str]:
    """Return what is wrong with the trackers and listeners of a configuration, a line each."""
    from engine.daemon import trackers

    return trackers.problems(config)
