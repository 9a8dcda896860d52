"""How routes get at what the app was made with."""

from typing import Annotated

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from engine.api.reads import Reads
from engine.inspection import Inspection


# Coroutines, since FastAPI would send plain functions through its thread pool.
async def _inspection(request: Request) -> Inspection:
    inspection: Inspection = request.app.state.inspection
    return inspection


async def _reads(request: Request) -> Reads:
    reads: Reads = request.app.state.reads
    return reads


async def _registry(request: Request) -> CollectorRegistry:
    registry: CollectorRegistry = request.app.state.registry
    return registry


Inspected = Annotated[Inspection, Depends(_inspection)]
LedgerReads = Annotated[Reads, Depends(_reads)]
MetricsRegistry = Annotated[CollectorRegistry, Depends(_registry)]
