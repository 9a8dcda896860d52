"""The trackers and listeners that the configuration names, and the engine they look at."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from engine.actors.sight import Sight
from engine.daemon.clock import now
from engine.domain.rules import Rules
from engine.domain.tracking import SubjectKind
from engine.trackers.loading import Loaded, check, load
from engine.trackers.runtime import TrackerRuntime
from engine.trackers.specs import ClassSpec, TrackerSpecs

if TYPE_CHECKING:
    from engine.actors.engine import Engine
    from engine.config import Config
    from engine.settings import Custom, Table
    from engine.storage.protocols import Stores
    from engine.storage.writer import JournalWriter


def load_trackers(config: "Config") -> Loaded:
    """Make all trackers and listeners; what cannot be made is told when they start."""
    return load(_specs(config), now)


def problems(config: "Config") -> list[str]:
    """Return what is wrong with the trackers and listeners of a configuration, a line each."""
    return check(_specs(config))


def rules(config: "Config", loaded: Loaded) -> Rules:
    """Return the configuration's rules with what only the trackers themselves tell."""
    tracking = replace(
        config.rules.tracking,
        trackers=loaded.labels_for(SubjectKind.PLAYER),
        event_trackers=loaded.labels_for(SubjectKind.EVENT),
        ask=loaded.asks,
    )
    return replace(config.rules, tracking=tracking)


def start_trackers(
    engine: "Engine", loaded: Loaded, stores: "Sequence[Stores]", journal: "JournalWriter", stack: ExitStack
) -> Callable[[], list[dict[str, Any]]]:
    """Start them. Returns what tells how each fares."""
    events = [inside.events for inside in engine.inside]
    sight = Sight(engine.published, [it.ledger for it in stores], events)
    runtime = TrackerRuntime(loaded, sight, journal, now)
    engine.aftermath.listeners = runtime.deliver
    runtime.start()
    stack.callback(runtime.stop)
    return lambda: [it.described() for it in runtime.statuses()]


def _specs(config: "Config") -> TrackerSpecs:
    it = config.trackers
    return TrackerSpecs(
        custom=tuple(map(_spec, it.custom)),
        listeners=tuple(map(_spec, it.listeners)),
        use_default_trackers=None if it.use_default_trackers == "auto" else it.use_default_trackers,
        users=_options(it.users),
        idle=_options(it.idle),
        abandoned=_options(it.abandoned),
        default_poll_interval_s=it.default_poll_interval_s,
        run_limit_s=it.run_limit_s,
        scopes_per_s=it.scopes_per_s,
        folder=config.folder,
    )


def _spec(it: "Custom") -> ClassSpec:
    return ClassSpec(it.class_name, it.options, it.label)


def _options(table: "Table") -> dict[str, Any]:
    return table.model_dump(exclude_none=True)
