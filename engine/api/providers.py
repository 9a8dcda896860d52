"""How routes get at what the app was made with."""

from collections.abc import Callable
from typing import Annotated, TypeAlias

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from engine.api.event_writes import EventWrites
from engine.api.reads import Reads
from engine.inspection import Inspection
from engine.storage.queries import Row

# Takes a guild's id, and a channel's or None; returns the active events there as the live state has them, or
# None where it cannot tell.
ActiveEvents: TypeAlias = Callable[[int, int | None], list[Row] | None]


# Coroutines, since FastAPI would send plain functions through its thread pool.
async def _inspection(request: Request) -> Inspection:
    inspection: Inspection = request.app.state.inspection
    return inspection


async def _reads(request: Request) -> Reads:
    reads: Reads = request.app.state.reads
    return reads


async def _changes(request: Request) -> EventWrites:
    changes: EventWrites = request.app.state.changes
    return changes


async def _live_events(request: Request) -> ActiveEvents:
    live: ActiveEvents = request.app.state.active_events
    return live


async def _registry(request: Request) -> CollectorRegistry:
    registry: CollectorRegistry = request.app.state.registry
    return registry


Inspected = Annotated[Inspection, Depends(_inspection)]
LedgerReads = Annotated[Reads, Depends(_reads)]
MetricsRegistry = Annotated[CollectorRegistry, Depends(_registry)]
Changes = Annotated[EventWrites, Depends(_changes)]
LiveEvents = Annotated[ActiveEvents, Depends(_live_events)]
