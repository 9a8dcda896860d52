"""What listeners are told, and listeners of one function each."""

from engine.domain.tracker_effects import TellListeners, TransitionKind
from engine.domain.tracking import SubjectKind, SubjectState
from tests.trackers.stage import GUILD, T


def told(what=TransitionKind.ACTIVE, subject_id=GUILD, at=T, kind=SubjectKind.PLAYER, **more):
    return TellListeners(GUILD, kind, subject_id, what, at, SubjectState.ACTIVE, **more)


def listener(**methods):
    """Make a listener of functions of a snapshot."""
    return type("Own", (), {name: staticmethod(call) for name, call in methods.items()})()
