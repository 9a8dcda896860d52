"""``DELETE /users/{userId}``: a person who asks to be forgotten."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from engine.api.errors import documented
from engine.api.providers import Changes
from engine.api.schemas import Snowflake, Wire

router = APIRouter(tags=["privacy"])

Count = Annotated[int, Field(ge=0)]


class ForgottenRows(Wire):
    """What the ledger knew of a person. Events keep what they need under a pseudonym, without an id."""

    sessions: Count = Field(0, description="Removed: no event reads them.")
    spans: Count = Field(0, description="Removed with their sessions.")
    anonymized_sessions: Count = Field(0, description="Kept for the events that they belong to.")
    anonymized_spans: Count = 0
    participants: Count = Field(0, description="Kept for their events' totals.")
    badges: Count = 0
    deliveries: Count = Field(0, description="Of badges: not made any more, or without the id.")
    names: Count = Field(0, description="Removed, one in each guild.")
    dead_letters: Count = Field(0, description="Removed.")


class Forgotten(Wire):
    """Who is forgotten, and what that took. The journal keeps its old entries until its retention is over."""

    user_id: Snowflake
    forgotten: ForgottenRows


@router.delete("/users/{userId}", responses=documented(422))
def forget_user(user_id: Annotated[Snowflake, Path(alias="userId")], changes: Changes) -> Forgotten:
    """Forget a person in all guilds, for good. Of somebody unknown, nothing is left to forget."""
    return Forgotten.model_validate({"userId": user_id, "forgotten": changes.forget(int(user_id))})
