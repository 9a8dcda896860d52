"""What the configuration says of trackers and listeners, as it is loaded from ``[trackers]``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class ClassSpec:
    """A ``[[trackers.custom]]`` or ``[[trackers.listeners]]``. ``label`` None: what the class says itself."""

    class_path: str
    options: Mapping[str, Any] = field(default_factory=dict)
    label: str | None = None


@dataclass(frozen=True, slots=True)
class TrackerSpecs:
    """All of it. ``users``, ``idle``, ``abandoned``: the options of what is built in.

    ``use_default_trackers`` False: none of these run; None: users and idle where there are no custom ones.
    ``abandoned`` None: that one does not run. ``run_limit_s``: how long a polling run may take, and for how
    long any tracker may keep its thread from going on. ``scopes_per_s``: see ``pace``.
    ``folder``: where modules are looked for last.
    """

    custom: tuple[ClassSpec, ...] = ()
    listeners: tuple[ClassSpec, ...] = ()
    use_default_trackers: bool | None = None
    users: Mapping[str, Any] = field(default_factory=dict)
    idle: Mapping[str, Any] = field(default_factory=dict)
    abandoned: Mapping[str, Any] | None = field(default_factory=dict)
    default_poll_interval_s: float = 5.0
    run_limit_s: float = 60.0
    scopes_per_s: float = 1000.0
    folder: Path | None = None

    def built_in(self) -> dict[str, Mapping[str, Any]]:
        """Return the options of what is built in and runs, by label."""
        found: dict[str, Mapping[str, Any]] = {}
        if self.use_default_trackers or (self.use_default_trackers is None and not self.custom):
            found |= {"users": self.users, "idle": self.idle}
        if self.abandoned is not None and self.use_default_trackers is not False:
            found["abandoned"] = self.abandoned
        return found
