"""The ledger made sound before it is opened, and backed up while it is in use."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.domain.views import iso
from engine.inspection import Sample
from engine.storage.backup import Backup, Standing, back_up, new_name
from engine.storage.backups import Backups
from engine.storage.protocols import StorageError
from engine.storage.recovery import last_report, recover

if TYPE_CHECKING:
    from engine.config import Config
    from engine.storage.journal_gap import Gap


def sound_ledger(config: "Config") -> None:
    """Put a damaged ledger aside and build another; see ``recovery.recover``."""
    from engine.storage.journal_gap import gap_behind

    def gaps(standings: Mapping[int, Standing]) -> "list[Gap]":
        of_each = (
            gap_behind(config.redis_url, number, standings.get(number, Standing()))
            for number in range(config.storage.partitions)
        )
        return [gap for gap in of_each if gap is not None]

    recover(config.database, config.backup_dir, gaps, _now())


def start_backups(config: "Config", stack: ExitStack) -> Backups:
    """Start the automatic backups, if there are to be any. Those made by hand are shown in any case."""
    every_s = config.backup.every_h * 3600
    backups = Backups(config.database, config.backup_dir, every_s=every_s, keep=config.backup.keep)
    if backups.automatic:
        stack.callback(backups.stop)
        backups.start()
    return backups


def needed_after(backups: Backups | None, partition: int) -> Callable[[], str] | None:
    """Return what tells the journal from where on the newest backup would need it.

    None where none are made by themselves: the journal would wait for one for ever.
    """
    return partial(backups.needed_after, partition) if backups and backups.automatic else None


def overview(config: "Config", backups: Backups) -> dict[str, Any]:
    """Return what ``rollcall debug`` shows of backups, and of damage that nobody has taken away yet."""
    folders = {config.database.parent, config.data_dir / "redis"}
    damaged = sorted(str(it) for folder in folders for it in folder.glob("*.damaged-*"))
    rebuilt = last_report(config.database)
    return {"backups": _fared(backups), "rebuilt": rebuilt, "damagedFiles": damaged}


def _fared(backups: Backups) -> dict[str, Any]:
    stats = backups.look()
    return {
        "automatic": backups.automatic,
        "lastAt": None if stats.last_at is None else iso(stats.last_at),
        "lastFile": stats.last_file,
        "lastBytes": stats.last_bytes,
        "kept": stats.kept,
        "failures": stats.failures,
        "lastError": stats.last_error,
    }


def samples(backups: Backups) -> Iterable[Sample]:
    """Yield how the backups fare."""
    stats = backups.look()
    name = "rollcall_backup_last_success_timestamp_seconds"
    last_s = (stats.last_at or 0) / 1000
    yield Sample(name, "gauge", "When the newest backup of the ledger was made; 0: there is none", last_s)
    help_ = "Backups of the ledger that could not be made"
    yield Sample("rollcall_backup_failures_total", "counter", help_, stats.failures)


def backup_now(config: "Config", target: Path | None) -> Backup:
    """Make a backup, whether the engine runs or not. ``target``: a file that is not there, or a folder.

    Raises ``StorageError``.
    """
    at = _now()
    folder = target or config.backup_dir
    path = new_name(folder, at) if target is None or folder.is_dir() else folder
    if path.exists():
        raise StorageError(f"{path} exists: a backup takes no other file's place")
    return back_up(config.database, path, at, _paused)


def described(backup: Backup) -> dict[str, Any]:
    """Return a backup as the command prints it; ``cursors`` and ``moments`` by partition."""
    return {
        "path": str(backup.path),
        "sizeBytes": backup.size_bytes,
        "madeAt": iso(backup.at),
        "cursors": {str(number): it.cursor for number, it in backup.standings.items()},
        "moments": {str(number): iso(it.now) for number, it in backup.standings.items()},
    }


def _paused(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _now() -> int:
    return time.time_ns() // 1_000_000
