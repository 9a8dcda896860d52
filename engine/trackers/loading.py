"""Makes the trackers and listeners that the configuration names. What cannot be made is told and left out."""

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from engine.domain.tracking import SubjectKind
from engine.trackers.builtin import AbandonedTracker, IdleTracker, UsersTracker
from engine.trackers.context import BOTH
from engine.trackers.events import EventRegistry
from engine.trackers.injection import InjectionError, Injector
from engine.trackers.late import Late
from engine.trackers.listeners import METHODS, Methods, is_listener, methods_of
from engine.trackers.players import PlayerRegistry
from engine.trackers.specs import ClassSpec, TrackerSpecs
from engine.trackers.told import line
from engine.trackers.tracker import Tracker, TrackerOptions, check_label
from engine.trackers.voice import VoiceView

BUILT_IN: dict[str, type[Tracker]] = {
    "users": UsersTracker,
    "idle": IdleTracker,
    "abandoned": AbandonedTracker,
}


class Problem(NamedTuple):
    """What could not be loaded. ``key``: the place in the configuration; ``text``: why, in one line."""

    key: str
    class_path: str
    text: str

    def __str__(self) -> str:
        return f"{self.key}: {self.text}"


class LoadError(Exception):
    """Something cannot be loaded; ``key`` is the place below its table."""

    def __init__(self, text: str, key: str = "class") -> None:
        super().__init__(text)
        self.key = key


class LoadedTracker(NamedTuple):
    """A tracker as it is run."""

    label: str
    class_name: str
    options: TrackerOptions
    tracker: Tracker


@dataclass(frozen=True)
class Loaded:
    """What is to run, and what cannot. ``late`` is bound to the engine when it is there."""

    specs: TrackerSpecs
    now: Callable[[], int]
    late: Late = field(default_factory=Late)
    trackers: list[LoadedTracker] = field(default_factory=list)
    listeners: dict[str, object] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the labels of all that run, for the rules."""
        return tuple(it.label for it in self.trackers)

    def labels_for(self, kind: SubjectKind) -> tuple[str, ...]:
        """Return the labels of those that report on players, or on events."""
        return tuple(it.label for it in self.trackers if kind in it.tracker.reports_on)

    @property
    def methods(self) -> Methods:
        """Return what listeners are called at each transition."""
        return methods_of(self.listeners)

    @property
    def asks(self) -> bool:
        """Say whether a listener wants to decide when a deadline has passed: ``TrackingRules.ask``."""
        return any(callable(getattr(it, "player_expiring", None)) for it in self.listeners.values())


def load(specs: TrackerSpecs, now: Callable[[], int]) -> Loaded:
    """Make all trackers and listeners; never raises. ``now``: ms UTC."""
    loaded = Loaded(specs, now)
    loader = _Loader(loaded)
    for label, options in specs.built_in().items():
        cls = BUILT_IN[label]
        loader.try_to(f"trackers.{label}", cls.__name__, partial(loader.built_in, cls, options))
    for number, spec in enumerate(specs.custom):
        loader.try_to(f"trackers.custom.{number}", spec.class_path, partial(loader.custom, spec))
    for number, spec in enumerate(specs.listeners):
        loader.try_to(f"trackers.listeners.{number}", spec.class_path, partial(loader.listener, spec))
    return loaded


def check(specs: TrackerSpecs) -> list[str]:
    """Return what is wrong with the trackers and listeners of a configuration, a line each.

    The classes are imported and made, as they would be to run.
    """
    return [str(it) for it in load(specs, lambda: 0).problems]


class _Loader:
    def __init__(self, loaded: Loaded) -> None:
        self._loaded, late = loaded, loaded.late
        self._injector = Injector(
            {
                VoiceView: VoiceView(late),
                PlayerRegistry: PlayerRegistry(late, late, loaded.now),
                EventRegistry: EventRegistry(late),
            }
        )

    def try_to(self, key: str, class_path: str, make: Callable[[], None]) -> None:
        """Make one thing, or note why not."""
        try:
            make()
        except LoadError as error:
            text = " ".join(str(error).split())
            self._loaded.problems.append(Problem(f"{key}.{error.key}", class_path, text))
        except Exception as error:  # noqa: BLE001 - whatever a class of others does when it is looked at
            self._loaded.problems.append(Problem(f"{key}.class", class_path, line(error)))

    def built_in(self, cls: type[Tracker], options: Mapping[str, Any]) -> None:
        """Add one of ours, through the same door."""
        self._add(self._made(cls, ClassSpec(cls.__name__, options)), None)

    def custom(self, spec: ClassSpec) -> None:
        """Add an own tracker. Raises ``LoadError``."""
        cls = self._class(spec)
        if not issubclass(cls, Tracker):
            raise LoadError(f"{spec.class_path} is no Tracker: derive it from engine.trackers.Tracker")
        it = self._made(cls, spec)
        self._add(it, spec.label)

    def listener(self, spec: ClassSpec) -> None:
        """Add a listener. Raises ``LoadError``."""
        cls = self._class(spec)
        if issubclass(cls, Tracker):
            raise LoadError(f"{spec.class_path} is a tracker: under trackers.custom it listens by itself")
        if not is_listener(cls):
            raise LoadError(f"{spec.class_path} has none of {', '.join(METHODS.values())}")
        self._listen(spec.label or cls.__name__, self._made(cls, spec))

    def _add(self, it: Tracker, label: str | None) -> None:
        options = it.options
        if not isinstance(options, TrackerOptions):
            raise LoadError(f"its options must be TrackerOptions.polling() or .realtime(), not {options!r}")
        if not it.reports_on or not it.reports_on <= BOTH:
            raise LoadError(f"its reports_on must be PLAYERS, EVENTS or both, not {it.reports_on!r}")
        label = _label(label or options.label or type(it).__name__)
        if label in self._loaded.labels:
            raise LoadError(f"there is a tracker {label!r} already: give this one another", "label")
        self._loaded.trackers.append(LoadedTracker(label, _path(type(it)), options, it))
        if is_listener(it):
            self._listen(label, it)

    def _listen(self, name: str, it: object) -> None:
        listeners, free, count = self._loaded.listeners, name, 1
        while free in listeners:
            count += 1
            free = f"{name} ({count})"
        listeners[free] = it

    def _class(self, spec: ClassSpec) -> type:
        cls = _imported(spec.class_path, self._loaded.specs.folder)
        try:
            self._injector.ask(sys.modules[cls.__module__])
        except Exception as error:
            raise LoadError(f"register() of {cls.__module__} failed: {line(error)}") from error
        return cls

    def _made(self, cls: type[Any], spec: ClassSpec) -> Any:
        try:
            return self._injector.make(cls, spec.options)
        except InjectionError as error:
            raise LoadError(str(error), "options") from error
        except (Exception, SystemExit) as error:
            raise LoadError(f"{cls.__name__} cannot be made: {line(error)}", "options") from error


def _label(label: str) -> str:
    try:
        return check_label(label)
    except (TypeError, ValueError) as error:
        raise LoadError(str(error), "label") from error


def _imported(class_path: str, folder: Path | None) -> type:
    """Return the class that ``module:Class`` names. Raises ``LoadError``."""
    name, _, qualname = class_path.partition(":")
    if not name or not qualname:
        raise LoadError(f"must be 'module:Class' (got {class_path!r})")
    found: Any = _module(name, folder)
    try:
        for part in qualname.split("."):
            found = getattr(found, part)
    except AttributeError:
        raise LoadError(f"{name} has no class {qualname}") from None
    if not isinstance(found, type):
        raise LoadError(f"{class_path} is no class")
    return found


def _module(name: str, folder: Path | None) -> ModuleType:
    if folder is not None and str(folder) not in sys.path:
        sys.path.append(str(folder))  # last: nothing in it stands in for what is installed
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise LoadError(f"there is no module {name!r}") from error
        raise LoadError(f"{name} cannot be imported: {line(error)}") from error
    except (Exception, SystemExit) as error:
        raise LoadError(f"{name} cannot be imported: {line(error)}") from error


def _path(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"
