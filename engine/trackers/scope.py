"""A scope: marks that take effect together when its block is left, or not at all."""

import sys
import threading
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

import structlog

from engine.domain.tracking import SubjectKind
from engine.trackers.durations import maybe_milliseconds
from engine.trackers.gate import Gate
from engine.trackers.pace import Pace

log = structlog.get_logger(__name__)

# Different subjects in one scope: it becomes one journal entry, which a partition takes in one piece.
MARKS_MAX = 200_000
_MAX_ID = 2**63 - 1  # the ledger's integers are signed


class ScopeClosedError(RuntimeError):
    """A scope was used that is not open: not yet entered, left, or let go of with its tracker's run."""


class TooManyMarksError(ValueError):
    """One scope cannot hold more than ``MARKS_MAX`` subjects."""


class Said(NamedTuple):
    """What a scope says of a subject. ``timeout_ms`` None: the configured default."""

    inactive: bool
    timeout_ms: int | None = None


# By subject; the last word counts.
Marks = dict[tuple[SubjectKind, int], Said]


class Door(NamedTuple):
    """Where a scope's marks go, at its tracker's pace, until the tracker's life has ``ended``."""

    commit: Callable[[Marks], None]
    pace: Pace
    ended: threading.Event


class Scope:
    """``with`` opens it, or raises ``ScopeAlreadyActive``; ``async with`` waits for its turn.

    Leaving the block commits all marks as one; an exception inside takes all of them back. One that is
    dropped while open is closed, commits nothing and gives a ResourceWarning. The commit of a tracker that
    floods the journal waits, in its thread, or with ``async with`` in its event loop.
    """

    __slots__ = ("__weakref__", "_door", "_entered", "_gate", "_kinds", "_label", "_marks", "_token")

    def __init__(self, label: str, gate: Gate, kinds: frozenset[SubjectKind], door: Door) -> None:
        self._label, self._gate, self._kinds, self._door = label, gate, kinds, door
        self._token, self._entered = object(), False
        self._marks: Marks = {}

    def mark_active(self, guild_id: int) -> None:
        """Say that a guild's player is active."""
        self._mark(SubjectKind.PLAYER, guild_id, Said(inactive=False))

    def mark_inactive(self, guild_id: int, timeout_s: float | None = None) -> None:
        """Say that a guild's player is inactive; it expires ``timeout_s`` after this was first said.

        Marked again, it does not start anew, though another timeout counts from the same beginning. None: the
        configured default. Raises TypeError or ValueError for what is no id or no timeout,
        ``ScopeClosedError``, ``TooManyMarksError``.
        """
        self._mark(SubjectKind.PLAYER, guild_id, _inactive(timeout_s))

    def mark_event_active(self, event_id: int) -> None:
        """Say that an event is active. One that is not held now is passed over."""
        self._mark(SubjectKind.EVENT, event_id, Said(inactive=False))

    def mark_event_inactive(self, event_id: int, timeout_s: float | None = None) -> None:
        """Say that an event is inactive, as ``mark_inactive``. One that is not held now is passed over."""
        self._mark(SubjectKind.EVENT, event_id, _inactive(timeout_s))

    def _mark(self, kind: SubjectKind, subject_id: int, said: Said) -> None:
        self._must_be_open()
        if kind not in self._kinds:
            raise ValueError(f"{self._label} does not report on {kind.name.lower()}s: see its reports_on")
        key = (kind, _checked(subject_id))
        if len(self._marks) >= MARKS_MAX and key not in self._marks:
            raise TooManyMarksError(f"a scope holds marks of {MARKS_MAX:,} subjects at most: commit in parts")
        self._marks[key] = said

    def _must_be_open(self) -> None:
        if not self._entered:
            raise ScopeClosedError("the scope is not open yet: with context.scope() as scope: ...")
        if not self._gate.holds(self._token):
            raise ScopeClosedError("the scope is closed: it was left, or its tracker's run has ended")

    def __enter__(self) -> Self:
        self._enter_once()
        self._gate.enter(self._token)
        return self

    async def __aenter__(self) -> Self:
        self._enter_once()
        await self._gate.wait(self._token)
        return self

    def _enter_once(self) -> None:
        if self._entered:
            raise ScopeClosedError("a scope is entered once: take a new one from the context")
        self._entered = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._gate.leave(self._token)
            return
        self._must_be_open()
        try:
            self._door.pace.wait(len(self._marks), self._door.ended)
            self._commit()
        finally:
            self._gate.leave(self._token)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._gate.leave(self._token)
            return
        self._must_be_open()
        try:
            await self._door.pace.wait_async(len(self._marks))
            self._commit()
        finally:
            self._gate.leave(self._token)

    def _commit(self) -> None:
        self._must_be_open()  # still, after a wait
        self._door.commit(self._marks)

    def __del__(self) -> None:
        if sys.is_finalizing() or (self._entered and not self._gate.holds(self._token)):
            return
        self._gate.leave(self._token)
        how = "was never left" if self._entered else "was never entered"
        log.warning("scope_dropped", tracker=self._label, reason=how, marks=len(self._marks))
        warnings.warn(
            f"a scope of {self._label} {how}: it commits nothing", ResourceWarning, stacklevel=2, source=self
        )


def _inactive(timeout_s: float | None) -> Said:
    return Said(inactive=True, timeout_ms=maybe_milliseconds(timeout_s, "timeout_s"))


def _checked(subject_id: object) -> int:
    if isinstance(subject_id, bool) or not isinstance(subject_id, int):
        raise TypeError(f"an id must be an int, not {subject_id!r}")
    if not 0 < subject_id <= _MAX_ID:
        raise ValueError(f"an id must lie between 1 and {_MAX_ID}, not {subject_id}")
    return subject_id
