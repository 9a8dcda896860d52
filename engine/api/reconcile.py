"""``POST /reconcile``: a check of what others see against the ledger, now."""

from fastapi import APIRouter

from engine.api.providers import Inspected
from engine.api.schemas import Moment, Wire

router = APIRouter(tags=["debug"])


class Reconciled(Wire):
    """What a check of all partitions found. What could be repaired was."""

    at: Moment | None
    took_ms: int | None
    guilds: int
    sessions: int
    events: int
    differences: dict[str, int]
    journal_rewinds: int
    errors: list[str]


@router.post("/reconcile")
def reconcile(inspection: Inspected) -> Reconciled:
    """Compare the live state with the ledger, and sessions with what is watched; repair what differs.

    `differences` counts by kind: `live_missing`, `live_stale`, `live_other` (sessions), `live_events`,
    `live_cursor` (the mirror stood elsewhere), `sessions_of_lost_guilds`, and `sessions_unconfirmed`, which
    Discord's next snapshot settles.
    """
    return Reconciled.model_validate(inspection.reconcile())
