"""What is told to those who listen, and what they may answer (seed 000; the six events of the rules)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any, NamedTuple, TypeAlias

from engine.domain.tracker_effects import TellListeners, TransitionKind
from engine.domain.tracking import Decision
from engine.trackers.durations import milliseconds

# What a listener is given: ``kind`` and ``subject_id`` (a player's is its guild's), ``guild_id``, ``what``
# happened ``at`` (ms UTC), the ``state`` and ``deadline`` right after it, whose mark it was (``tracker``, a
# label or None), and the ``cause`` in words. Immutable.
Snapshot: TypeAlias = TellListeners

# The method for each transition. The same names serve players and events: ``snapshot.kind`` tells.
METHODS = {
    TransitionKind.TRACKED: "player_tracked",
    TransitionKind.TRACKER_INACTIVE: "tracker_inactive",
    TransitionKind.TRACKER_ACTIVE: "tracker_active",
    TransitionKind.ACTIVE: "player_active",
    TransitionKind.EXPIRING: "player_expiring",
    TransitionKind.INACTIVE: "player_inactive",
    TransitionKind.PAUSE: "player_paused",
    TransitionKind.RESUME: "player_resumed",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What ``player_expiring`` decides. ``postpone_ms`` counts from the decision on."""

    decision: Decision
    postpone_ms: int = 0


EXPIRE = Answer(Decision.EXPIRE)
IGNORE = Answer(Decision.IGNORE)  # no deadline any more until it was active again


def postpone(seconds: float) -> Answer:
    """Let it go on for so long. Raises TypeError or ValueError unless above 0 and finite."""
    return Answer(Decision.POSTPONE, milliseconds(seconds, "seconds"))


class Listener:
    """A listener may derive from this, for the reader; it needs any of these methods, sync or async.

    ``player_tracked``: the first tracker holds it inactive. ``tracker_inactive``, ``tracker_active``: one
    does, does no more. ``player_active``: none does any more. ``player_expiring``: its deadline has passed;
    it may return ``None`` or ``"expire"``, ``"ignore"``, or ``postpone(seconds)``, and of several listeners
    the first that does not say expire decides. ``player_inactive``: it has expired. ``player_paused``,
    ``player_resumed``: whoever plays is to pause, to go on. Each is given a ``Snapshot``, of a player or of
    an event.
    """


class Method(NamedTuple):
    """One listener's method for one transition."""

    name: str
    call: Callable[[Snapshot], Any]
    is_async: bool


Methods: TypeAlias = Mapping[TransitionKind, tuple[Method, ...]]


def is_listener(it: object) -> bool:
    """Say whether an object has any of the methods."""
    return any(callable(getattr(it, name, None)) for name in METHODS.values())


def methods_of(listeners: Mapping[str, object]) -> Methods:
    """Return what is called at each transition, of listeners by name, in their order."""
    return {
        what: tuple(
            Method(f"{name}.{method}", call, iscoroutinefunction(call))
            for name, it in listeners.items()
            if callable(call := getattr(it, method, None))
        )
        for what, method in METHODS.items()
    }


def answer_of(returned: object) -> Answer:
    """Read what ``player_expiring`` returned. Raises ValueError for what is no answer."""
    if returned is None or returned == "expire":
        return EXPIRE
    if returned == "ignore":
        return IGNORE
    if isinstance(returned, Answer):
        return returned
    raise ValueError(f"player_expiring may return None, 'expire', 'ignore' or postpone(s), not {returned!r}")
