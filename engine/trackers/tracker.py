"""What people write: a tracker, and how it wants to be run (seed 000)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum

from engine.domain.tracking import SubjectKind
from engine.trackers.context import BOTH, TrackerContext
from engine.trackers.durations import positive_s

PLAYERS, EVENTS = frozenset({SubjectKind.PLAYER}), frozenset({SubjectKind.EVENT})
LABEL_MAX = 100


class Mode(StrEnum):
    """Polling: ``run`` is called again and again. Realtime: once, and it goes on until it is cancelled."""

    POLLING = "polling"
    REALTIME = "realtime"


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """How a tracker is run. ``label`` None: its class's name; ``poll_interval_s`` None: the configured one.

    Raises TypeError or ValueError for a label or an interval that cannot be.
    """

    mode: Mode
    label: str | None = None
    poll_interval_s: float | None = None

    def __post_init__(self) -> None:
        if self.label is not None:
            check_label(self.label)
        if self.poll_interval_s is not None:
            positive_s(self.poll_interval_s, "poll_interval_s")

    @classmethod
    def polling(cls, label: str | None = None, poll_interval_s: float | None = None) -> "TrackerOptions":
        """Have ``run`` called at once and then every interval."""
        return cls(Mode.POLLING, label, poll_interval_s)

    @classmethod
    def realtime(cls, label: str | None = None) -> "TrackerOptions":
        """Have ``run`` called once; it follows what happens until it is cancelled."""
        return cls(Mode.REALTIME, label)


def check_label(label: object) -> str:
    """Return a label that can be shown and told apart. Raises TypeError or ValueError."""
    if not isinstance(label, str):
        raise TypeError(f"a label must be text, not {label!r}")
    if not label.strip() or not label.isprintable() or len(label) > LABEL_MAX:
        raise ValueError(f"a label must be 1 to {LABEL_MAX} printable characters, not {label[:200]!r}")
    return label


class Tracker(ABC):
    """Reports players and events active or inactive. One object runs in a thread and event loop of its own.

    ``options`` may be an attribute of the class, of the object, or a property. ``reports_on``: what it has
    marks for; where all trackers must agree, only those that report on a subject's kind are asked.
    """

    options: TrackerOptions = TrackerOptions.polling()
    reports_on: frozenset[SubjectKind] = BOTH

    @abstractmethod
    async def run(self, context: TrackerContext) -> None:
        """Look, and mark in ``context.scope()``. What it raises is logged, and it is started again."""
