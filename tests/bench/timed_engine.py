"""A process: the engine as ``rollcall engine`` runs it, but it notes when each commit was on the disk."""

import json
import sys
import time
from pathlib import Path

from stage import write_whole

from engine import daemon, log
from engine.config import load
from engine.storage import ledger
from engine.storage.protocols import Commit


class TimedLedger(ledger.SqlLedger):
    """``commits``: the cursor of each commit, and the moment (ns UTC) at which it had returned."""

    commits: list[tuple[str, int]] = []  # noqa: RUF012 - one engine, one process

    def commit(self, commit: Commit) -> None:
        super().commit(commit)
        self.commits.append((commit.state.cursor, time.time_ns()))


if __name__ == "__main__":
    config_file, report = Path(sys.argv[1]), Path(sys.argv[2])
    config = load(config_file)
    log.configure("engine", level=config.log.level, form=config.log.format, secrets=config.secrets)
    ledger.SqlLedger = TimedLedger  # where the daemon looks it up
    code = daemon.engine_main(config)
    write_whole(report, json.dumps(TimedLedger.commits))
    sys.exit(code)
