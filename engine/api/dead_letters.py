"""``/debug/dead-letters`` and ``/debug/actors/{name}/lift``: what could not take effect, taken again."""

from typing import Annotated, Self

from fastapi import APIRouter, Path, Query
from pydantic import Field, model_validator

from engine.api.errors import Refused, documented
from engine.api.providers import Changes, LedgerReads
from engine.api.schemas import Moment, Snowflake, Wire
from engine.storage.queries import LetterFilter

router = APIRouter(prefix="/debug", tags=["debug"])

# Letters of one actor that one request takes again: each is an entry of the journal.
IDS_AT_ONCE = 1_000
JournalId = Annotated[str, Field(pattern=r"^[0-9]{1,20}-[0-9]{1,20}$", examples=["1792612800000-0"])]
ActorName = Annotated[str, Path(pattern=r"^(guild|event):[0-9]{1,20}$", examples=["guild:81384788765712384"])]


class DeadLetter(Wire):
    """An entry of the journal that could not take effect."""

    journal_id: str
    partition: int
    actor: str | None = Field(description="Who refused it; null: it could not be read.")
    guild_id: Snowflake | None
    kind: str | None = Field(description="The kind of input; null: the bytes tell of none, or are not kept.")
    entry_at: Moment | None = Field(description="The entry's own moment.")
    at: Moment = Field(description="When it was refused, in the partition's time.")
    reason: str
    bytes: int
    retried_at: Moment | None = Field(description="When it took effect after all.")


class DeadLetterPage(Wire):
    """Some of them, and where the next ones begin."""

    items: list[DeadLetter]
    next: str | None = None


class DeadLetterQuery(Wire):
    """Which, and how many at once."""

    guild_id: Snowflake | None = None
    everything: bool = Field(False, description="Those too that took effect since.")
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    cursor: str | None = Field(None, max_length=200)


class Retry(Wire):
    """Which to take again: one by its id, a guild's, or all."""

    journal_id: JournalId | None = None
    guild_id: Snowflake | None = None
    everything: bool = False

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.journal_id is not None) + (self.guild_id is not None) + self.everything != 1:
            raise ValueError("give one of journalId, guildId and everything")
        return self


class Retried(Wire):
    """How many took effect, and how many were refused again."""

    retried: int = 0
    refused: int = 0


class RetriedLetters(Retried):
    """And how many nobody can take."""

    unreadable: int = Field(0, description="They stay as they are: no actor can be told of them.")


@router.get("/dead-letters", responses=documented(422))
def dead_letters(wanted: Annotated[DeadLetterQuery, Query()], reads: LedgerReads) -> DeadLetterPage:
    """List the entries that could not take effect, the last one kept first, a page at a time."""
    chosen = LetterFilter(guild_id=_number(wanted.guild_id), everything=wanted.everything)
    page = reads.dead_letters(chosen, limit=wanted.limit, cursor=wanted.cursor)
    return DeadLetterPage(items=[DeadLetter.model_validate(it) for it in page.items], next=page.next)


@router.post("/dead-letters/retry", responses=documented(404, 409, 422))
def retry_dead_letters(wanted: Retry, reads: LedgerReads, changes: Changes) -> RetriedLetters:
    """Take dead letters again, each at its own time, with what came after it of the same members."""
    chosen = LetterFilter(guild_id=_number(wanted.guild_id), journal_id=wanted.journal_id)
    found = reads.retriable(chosen)
    if wanted.journal_id is not None and not found:
        raise Refused(404, f"no dead letter of the id {wanted.journal_id} can be taken again", "journalId")
    done = RetriedLetters(unreadable=reads.unreadable(chosen))
    for (guild_id, actor), ids in found.items():
        for start in range(0, len(ids), IDS_AT_ONCE):
            counts = changes.retry(guild_id, actor, ids[start : start + IDS_AT_ONCE])
            done.retried += counts.get("retried", 0)
            done.refused += counts.get("refused", 0)
    return done


@router.post("/actors/{name}/lift", responses=documented(404, 409, 422))
def lift_quarantine(name: ActorName, reads: LedgerReads, changes: Changes) -> Retried:
    """Let a guild or an event out of quarantine: it takes what was kept of its entries, then goes on."""
    guild_id = reads.quarantines().get(name)
    if guild_id is None:
        raise Refused(404, f"{name} is not quarantined: `rollcall debug actors` shows what is", "name")
    return Retried.model_validate(changes.lift(guild_id, name))


def _number(guild_id: str | None) -> int | None:
    return None if guild_id is None else int(guild_id)
