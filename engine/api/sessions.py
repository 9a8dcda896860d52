"""``/sessions``: voice sessions, open and past, from the ledger."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.exceptions import HTTPException

from engine.api.errors import InvalidField, documented
from engine.api.providers import LedgerReads
from engine.api.schemas import Session, SessionId, SessionPage, SessionQuery
from engine.storage.queries import SessionFilter

router = APIRouter(prefix="/sessions", tags=["sessions"])


@router.get("", responses=documented(422), response_model_exclude_unset=True)
def sessions(wanted: Annotated[SessionQuery, Query()], reads: LedgerReads) -> SessionPage:
    """List sessions, the latest join first, a page at a time."""
    if wanted.since and wanted.until and wanted.since > wanted.until:
        raise InvalidField("from", "must not be after 'to'")
    page = reads.sessions(_filter(wanted), limit=wanted.limit, cursor=wanted.cursor, spans=wanted.spans)
    return SessionPage(items=[Session.model_validate(row) for row in page.items], next=page.next)


@router.get("/{sessionId}", responses=documented(404, 422), response_model_exclude_unset=True)
def session(session_id: Annotated[SessionId, Path(alias="sessionId")], reads: LedgerReads) -> Session:
    """Show one session with its spans."""
    row = reads.session(session_id)
    if row is None:
        raise HTTPException(404, f"no session has the id {session_id!r}")
    return Session.model_validate(row)


def _filter(wanted: SessionQuery) -> SessionFilter:
    ids = wanted.model_dump(include={"guild_id", "user_id", "channel_id", "event_id"})
    return SessionFilter.written(ids, wanted.since, wanted.until, wanted.status)
