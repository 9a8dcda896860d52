"""``/debug/...``: what the engine does right now, for ``rollcall debug`` and for curious people."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from engine.api.errors import documented
from engine.api.providers import Inspected
from engine.inspection import Described

router = APIRouter(prefix="/debug", tags=["debug"])

ActorName = Annotated[str, Path(max_length=64, examples=["guild:81384788765712384", "partition:0"])]


class DescribedPage(BaseModel):
    """A whole list: ``next`` is always null, as on the last page of any other list."""

    items: list[Described]
    next: None = None


@router.get("/overview")
def overview(inspection: Inspected) -> Described:
    """Show the engine on one screen."""
    return inspection.overview()


@router.get("/actors")
def actors(inspection: Inspected) -> DescribedPage:
    """List the actors: name, kind, state, inbox, restarts, openSessions, lastAt."""
    return DescribedPage(items=inspection.actors())


@router.get("/actors/{name}", responses=documented(404, 422))
def actor(name: ActorName, inspection: Inspected) -> Described:
    """Show one actor's whole state."""
    found = inspection.actor(name)
    if found is None:
        raise HTTPException(404, f"no actor is named {name!r}: `rollcall debug actors` lists them")
    return found


@router.get("/journal")
def journal(inspection: Inspected) -> DescribedPage:
    """List the partitions: cursor, lastId, length, lag, now, sources, connections, ingest."""
    return DescribedPage(items=inspection.journal())


@router.get("/trackers")
def trackers(inspection: Inspected) -> DescribedPage:
    """List the trackers: label, mode, intervalS, state, lastRunAt, lastError, restarts, marks, ..."""
    return DescribedPage(items=inspection.trackers())


@router.get("/timers")
def timers(inspection: Inspected) -> DescribedPage:
    """List the deadlines that run, the next first: at, inSeconds, what, guildId, eventId."""
    return DescribedPage(items=inspection.timers())


@router.get("/live")
def live(inspection: Inspected) -> Described:
    """Show how the mirror of the open sessions stands."""
    return inspection.live()


@router.get("/top")
def top(inspection: Inspected) -> Described:
    """Show running counters and gauges; ask twice and divide for rates."""
    return inspection.top()
