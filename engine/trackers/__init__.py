"""Own trackers: what reports players and events active or inactive (seed 000).

Everything that trackers and listeners are written with can be imported from here; ``docs/trackers.md`` shows
how. What the daemon runs them with stands in ``loading`` and ``runtime``.
"""

from engine.domain.events import Event
from engine.domain.tracking import Mark, PlayerState, SubjectKind, SubjectState
from engine.trackers.builtin import AbandonedTracker, IdleTracker, UsersTracker
from engine.trackers.context import NotJournaledError, TrackerContext
from engine.trackers.events import EventRegistry
from engine.trackers.gate import ScopeAlreadyActive
from engine.trackers.listeners import EXPIRE, IGNORE, Answer, Listener, Snapshot, postpone
from engine.trackers.loading import check, load
from engine.trackers.players import Player, PlayerRegistry
from engine.trackers.runtime import TrackerRuntime
from engine.trackers.scope import MARKS_MAX, Scope, ScopeClosedError, TooManyMarksError
from engine.trackers.specs import ClassSpec, TrackerSpecs
from engine.trackers.tracker import EVENTS, PLAYERS, Mode, Tracker, TrackerOptions
from engine.trackers.voice import Member, VoiceView

__all__ = [
    "EVENTS",
    "EXPIRE",
    "IGNORE",
    "MARKS_MAX",
    "PLAYERS",
    "AbandonedTracker",
    "Answer",
    "ClassSpec",
    "Event",
    "EventRegistry",
    "IdleTracker",
    "Listener",
    "Mark",
    "Member",
    "Mode",
    "NotJournaledError",
    "Player",
    "PlayerRegistry",
    "PlayerState",
    "Scope",
    "ScopeAlreadyActive",
    "ScopeClosedError",
    "Snapshot",
    "SubjectKind",
    "SubjectState",
    "TooManyMarksError",
    "Tracker",
    "TrackerContext",
    "TrackerOptions",
    "TrackerRuntime",
    "TrackerSpecs",
    "UsersTracker",
    "VoiceView",
    "check",
    "load",
    "postpone",
]
