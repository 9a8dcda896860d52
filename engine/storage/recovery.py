"""A ledger that is damaged or gone: put aside, and built anew from the newest good backup and the journal.

Nothing is removed and nothing written over: the damaged file, its log and the backups that were passed over
stay until somebody takes them away. What the journal has of the time since the backup is taken again, in the
ordinary way; what it no longer has is told, once in the log and from then on in ``<ledger>.rebuilt.json``.
"""

import errno
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog

from engine.domain.views import iso
from engine.storage.aside import remove_partial, replacing, set_aside
from engine.storage.backup import Standing, backups_in, standings
from engine.storage.journal_gap import Gap
from engine.storage.protocols import StorageError, StorageUnfit
from engine.storage.soundness import first_fault, look_at_start

# Given where a ledger's partitions stand, tells what their journals no longer have. Raises ConnectionError.
Gaps = Callable[[Mapping[int, Standing]], list[Gap]]
Report = dict[str, Any]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_log = structlog.get_logger(__name__)


def recover(ledger: Path, backups: Path, gaps: Gaps, at: int) -> bool:
    """Have a sound ledger where an engine will open one, or none for it to make; True if it was not so.

    ``backups``: their folder; ``at``: now, in ms UTC. Raises ``StorageError`` where nothing can be done, then
    nothing is lost and the next start tries again; ``StorageUnfit`` for what is no ledger.
    """
    remove_partial(ledger.parent)
    fault = _fault(ledger, bool(backups_in(backups)))
    if not fault:
        _tell_gaps(ledger, gaps, at)
        return False
    try:
        _rebuild(ledger, backups, gaps, {"at": at, "reason": fault})
    except OSError as error:
        raise StorageError(
            f"{ledger} is damaged ({fault}) and cannot be replaced: {error.strerror} ({error.filename})"
        ) from error
    return True


def last_report(ledger: Path) -> Report | None:
    """Return what was told of the last rebuilding, or of the last gap; None if there was none."""
    try:
        found: Report = msgspec.json.decode(_report_file(ledger).read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError):
        return None
    return found


def _fault(ledger: Path, has_backups: bool) -> str:
    """A ledger that is gone was lost, or a rebuilding was killed: where there are backups, there was one."""
    if not ledger.exists():
        return "it is missing" if has_backups else ""
    if not ledger.stat().st_size:
        return "it is empty" if has_backups else ""
    return look_at_start(ledger)


def _rebuild(ledger: Path, backups: Path, gaps: Gaps, report: Report) -> None:
    report["setAside"] = [str(it) for it in set_aside(ledger, report["at"])]
    report["passedOver"] = []
    report["restoredFrom"] = None

    def tell(found: Mapping[int, Standing]) -> None:
        report["gaps"], report["journal"] = _asked(gaps, found)
        _log.error("ledger_rebuilt", **_told(report))
        _write(ledger, report)

    for backup in backups_in(backups):
        report["restoredFrom"] = str(backup)
        try:
            _restore(backup, ledger, tell)
        except _UnsoundBackup as unsound:
            report["restoredFrom"] = None
            report["passedOver"].append({"backup": str(backup), "reason": str(unsound)})
            _log.error("backup_passed_over", backup=str(backup), reason=str(unsound))
        else:
            return
    tell({})


class _UnsoundBackup(Exception):  # noqa: N818 - what it is, not what went wrong
    """A backup that is of no use; the text says why."""


def _restore(backup: Path, ledger: Path, tell: Callable[[Mapping[int, Standing]], None]) -> None:
    """Copy a backup into the ledger's place, once it has been told what comes of it."""
    with replacing(ledger) as partial:
        try:
            shutil.copyfile(backup, partial)
            partial.chmod(0o600)
            fault = first_fault(partial, thorough=True) or ("" if partial.stat().st_size else "it is empty")
        except OSError as error:
            if error.errno in _FULL:
                raise
            fault = error.strerror or str(error)
        except StorageUnfit as error:
            fault = str(error)
        if fault:
            raise _UnsoundBackup(fault)
        tell(standings(partial))


def _tell_gaps(ledger: Path, gaps: Gaps, at: int) -> None:
    """A ledger may be an older one that somebody put there, a journal one that was repaired or emptied."""
    try:
        stands = standings(ledger) if ledger.exists() else {}
    except StorageError:  # of the first moment of a new one, without tables
        stands = {}
    found, journal = _asked(gaps, stands)
    if found:
        reason = "the journal begins after what the ledger has taken"
        report = {"at": at, "reason": reason, "gaps": found, "journal": journal}
        _log.error("journal_gap", **_told(report))
        _write(ledger, report)


def _asked(gaps: Gaps, found: Mapping[int, Standing]) -> tuple[list[Report], str]:
    """Return the gaps as reports have them, and how asking for them went."""
    try:
        return [it._asdict() for it in gaps(found)], "read"
    except ConnectionError as error:
        return [], f"away: {error}"


def _told(report: Report) -> Report:
    """Return a report as people and JSON read it: moments in ISO 8601."""
    gaps = [
        it | {key: it[key] if it[key] is None else iso(it[key]) for key in ("since", "until")}
        for it in report.get("gaps", [])
    ]
    return {**report, "at": iso(report["at"]), "gaps": gaps}


def _write(ledger: Path, report: Report) -> None:
    with replacing(_report_file(ledger)) as partial:
        partial.write_bytes(msgspec.json.encode(_told(report)))


def _report_file(ledger: Path) -> Path:
    return ledger.with_name(f"{ledger.name}.rebuilt.json")
