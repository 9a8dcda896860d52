"""Sessions as clients ask for them and see them. The names are a contract with other tools."""

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

# A first digit of 9 would need more than SQL's 63 bits; Discord gets there in 2083.
_SNOWFLAKE = r"[0-8]?[0-9]{1,18}"
_ISO_START = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")

Snowflake = Annotated[str, Field(pattern=rf"^{_SNOWFLAKE}$", examples=["81384788765712384"])]
# Of a person as we show them: one who asked to be forgotten has a number instead of an id.
Person = Annotated[
    str, Field(pattern=rf"^({_SNOWFLAKE}|forgotten-[0-9]{{1,19}})$", examples=["81384788765712384"])
]
UserName = Annotated[
    str | None, Field(description="What they were last called in the guild; null: unknown.", examples=["Ann"])
]
SessionId = Annotated[
    str, Field(pattern=rf"^{_SNOWFLAKE}-({_SNOWFLAKE}|forgotten-[0-9]{{1,19}})-[0-9]{{1,15}}$")
]
Moment = Annotated[
    str,
    Field(
        description="ISO 8601, UTC, with milliseconds.",
        examples=["2026-03-01T18:00:00.000Z"],
        json_schema_extra={"format": "date-time"},
    ),
]
Seconds = Annotated[
    float, Field(ge=0, description="Exact to the millisecond; of what has not ended, the seconds so far.")
]


def _written_out(value: object) -> object:
    # pydantic would also take a number for seconds, or ms, since 1970, by its size.
    if not isinstance(value, str) or not _ISO_START.match(value):
        raise ValueError("write it like 2026-03-01T18:00:00Z")
    return value


WrittenMoment = Annotated[AwareDatetime, BeforeValidator(_written_out)]
Status: TypeAlias = Literal["active", "completed", "cancelled"]


class Wire(BaseModel):
    """snake_case here, camelCase on the wire."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class SessionQuery(Wire):
    """Which sessions, and how many at once. All that is given must hold."""

    guild_id: Snowflake | None = None
    user_id: Snowflake | None = None
    channel_id: Snowflake | None = None
    event_id: Snowflake | None = None
    since: WrittenMoment | None = Field(
        None, alias="from", description="Only sessions that had not ended by then."
    )
    until: WrittenMoment | None = Field(
        None, alias="to", description="Only sessions that had begun before then."
    )
    status: Status | None = None
    spans: bool = Field(False, description="With each session's spans.")
    limit: int = Field(100, ge=1, le=1000)
    cursor: SessionId | None = Field(None, description="`next` of the page before.")


class RelatedSession(Wire):
    """Another session of the same chain."""

    session_id: str
    channel_id: Snowflake
    join_time: Moment
    leave_time: Moment | None
    duration: Seconds


class Span(Wire):
    """A part of a session during which the voice state did not change."""

    start_time: Moment
    end_time: Moment | None
    duration: Seconds
    self_deaf: bool
    deaf: bool
    self_mute: bool
    mute: bool
    suppress: bool
    bridged: bool = Field(description="The gateway was away; the member was there before and after.")


class Session(Wire):
    """One member's unbroken presence in one channel.

    The true join lies in `[joinTime - joinedSlack, joinTime]`, the true leave in
    `[leaveTime, leaveTime + leftSlack]`. `confidence`: observed (no gap), bridged (the gateway was away in
    between), inferred (a boundary was concluded, not seen).
    """

    session_id: str
    guild_id: Snowflake
    user_id: Person
    user_name: UserName
    channel_id: Snowflake
    join_time: Moment
    leave_time: Moment | None
    duration: Seconds
    status: Status
    is_event_linked: bool
    event_ids: list[str]
    chain_id: str = Field(description="The id of the chain's first session.")
    previous_id: str | None
    related_sessions: list[RelatedSession] = Field(description="The other sessions of the chain.")
    via_channel_creation: bool
    joined_slack: Seconds
    left_slack: Seconds
    confidence: Literal["observed", "bridged", "inferred"]
    spans: list[Span] | None = Field(None, description="Where asked for, else absent.")
    created_at: Moment
    updated_at: Moment


class SessionPage(Wire):
    """Some sessions, the latest first, and where the next ones are."""

    items: list[Session]
    next: str | None = Field(description="Give it as `cursor` for the next page; null: this is the last.")
