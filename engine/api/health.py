"""``/healthz`` and ``/readyz``: for service managers and people in a hurry. No token, no data."""

from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from engine.api.providers import Inspected

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """Whether the process is worth keeping."""

    status: Literal["ok", "failed"]


class Ready(BaseModel):
    """Whether the engine is connected, caught up and committing."""

    ready: bool
    reasons: list[str] = Field(description="What is in the way, one line each.")


def _or_503(model: type[BaseModel], description: str) -> dict[int | str, dict[str, Any]]:
    return {503: {"model": model, "description": description}}


@router.get("/healthz", responses=_or_503(Health, "A part without which nothing works has ended."))
def healthz(inspection: Inspected, response: Response) -> Health:
    """Tell whether the engine is alive; if not, restart it."""
    alive = inspection.alive()
    response.status_code = 200 if alive else 503
    return Health(status="ok" if alive else "failed")


@router.get("/readyz", responses=_or_503(Ready, "Not connected, not caught up or not committing."))
def readyz(inspection: Inspected, response: Response) -> Ready:
    """Tell whether what the engine knows is current; if not, the reasons."""
    readiness = inspection.readiness()
    response.status_code = 200 if readiness.ready else 503
    return Ready(ready=readiness.ready, reasons=readiness.reasons)
