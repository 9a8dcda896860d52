"""``/healthz`` and ``/readyz``: for service managers and people in a hurry. No token, no data."""

from typing import Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from engine.api.providers import Inspected

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """Whether the process is worth keeping."""

    status: Literal["ok", "failed"]
    reasons: list[str] = Field(description="What has ended or is stuck, one line each.")


class Ready(BaseModel):
    """Whether the engine is connected, caught up and committing."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    ready: bool = Field(description="All three hold.")
    connected: bool = Field(description="Every gateway connection is up.")
    caught_up: bool = Field(description="The journal is at hand, and what it holds is taken.")
    committing: bool = Field(description="The ledger takes what is committed.")
    reasons: list[str] = Field(description="What is in the way, one line each.")


def _or_503(model: type[BaseModel], description: str) -> dict[int | str, dict[str, Any]]:
    return {503: {"model": model, "description": description}}


# Coroutines, as neither waits: where requests hold every thread of the pool, these two still answer.
@router.get(
    "/healthz",
    responses=_or_503(Health, "A part without which nothing works has ended, or is stuck."),
)
async def healthz(inspection: Inspected, response: Response) -> Health:
    """Tell whether the engine is alive: it makes progress or has nothing to do. If not, restart it.

    It is alive while it waits for Redis or for a ledger that is busy: no restart would help; see `/readyz`.
    """
    faults = inspection.faults()
    response.status_code = 503 if faults else 200
    return Health(status="failed" if faults else "ok", reasons=faults)


@router.get("/readyz", responses=_or_503(Ready, "Not connected, not caught up or not committing."))
async def readyz(inspection: Inspected, response: Response) -> Ready:
    """Tell whether what the engine knows is current; if not, the reasons."""
    it = inspection.readiness()
    response.status_code = 200 if it.ready else 503
    return Ready(
        ready=it.ready,
        connected=it.connected,
        caught_up=it.caught_up,
        committing=it.committing,
        reasons=it.reasons,
    )
