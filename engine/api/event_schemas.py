"""Events and participants as clients ask for them and see them. The names are a contract with other tools."""

from datetime import UTC, datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import MISSING, AfterValidator, ConfigDict, Field, StrictBool

from engine.api.schemas import Moment, Seconds, Snowflake, Wire, WrittenMoment

EventStatus: TypeAlias = Literal["scheduled", "active", "ended", "cancelled"]
RoleMatch: TypeAlias = Literal["any", "all"]
Slack: TypeAlias = Literal["strict", "generous"]

# Before, no id of Discord's was made; after, none will be that fits SQL's 63 bits.
_EARLIEST, _LATEST = datetime(2015, 1, 1, tzinfo=UTC), datetime(2084, 1, 1, tzinfo=UTC)


def _plausible(moment: datetime) -> datetime:
    if not _EARLIEST <= moment < _LATEST:
        raise ValueError("must lie between 2015 and 2083")
    return moment


When = Annotated[
    WrittenMoment,
    AfterValidator(_plausible),
    Field(
        examples=["2026-03-01T18:00:00Z"],
        # The years, which `format` cannot say.
        json_schema_extra={"pattern": r"^20(1[5-9]|[2-7][0-9]|8[0-3])-"},
    ),
]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S", examples=["Book club"], strict=True)]
ChannelIds = Annotated[
    list[Snowflake],
    Field(
        min_length=1,
        max_length=500,
        description="Voice or stage channels of the guild.",
        examples=[["81384788765712384"]],
    ),
]
RoleIds = Annotated[
    list[Snowflake],
    Field(max_length=250, description="Time counts only while the member holds them; see `roleMatch`."),
]
MinDuration = Annotated[
    float,
    Field(
        ge=0,
        le=31_536_000,
        strict=True,
        description="Seconds of counted time that a badge takes, to the millisecond.",
        examples=[2700],
    ),
]
MinShare = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        strict=True,
        description="Share of the event's length that a badge takes; the larger of both is the threshold.",
        examples=[0.5],
    ),
]


class PolicyTerms(Wire):
    """Which time counts. What is left out stays as it is, of a new event as configured in `[events]`."""

    count_muted: StrictBool | MISSING = MISSING
    count_suppressed: StrictBool | MISSING = MISSING
    count_alone: StrictBool | MISSING = MISSING
    count_afk: StrictBool | MISSING = MISSING
    count_bridged: StrictBool | MISSING = MISSING
    slack: Slack | MISSING = MISSING


class EventTerms(Wire):
    """What of an event may be changed. What is left out stays as it is."""

    name: Name | MISSING = MISSING
    voice_channel_ids: ChannelIds | MISSING = MISSING
    starts_at: When | MISSING | None = Field(
        MISSING,
        description="When it begins by itself; null: when it is started. Once it has begun: when it did.",
    )
    ends_at: When | MISSING | None = Field(
        MISSING,
        examples=["2026-03-01T20:00:00Z"],
        description="When it ends by itself; null: when it is stopped. Once it has ended: when it did.",
    )
    required_role_ids: RoleIds | MISSING = MISSING
    role_match: RoleMatch | MISSING = MISSING
    min_duration: MinDuration | MISSING = MISSING
    min_share: MinShare | MISSING = MISSING
    policy: PolicyTerms | MISSING = MISSING


class EventDraft(EventTerms):
    """A new event. What is left out is as configured in `[events]`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "guildId": "81384788765712384",
                    "name": "Book club",
                    "voiceChannelIds": ["155101607195836416"],
                    "endsAt": "2026-03-01T20:00:00Z",
                    "minShare": 0.5,
                    "policy": {"countAfk": False, "slack": "generous"},
                }
            ]
        }
    )

    guild_id: Snowflake
    name: Name
    voice_channel_ids: ChannelIds
    source: Literal["api", "command"] = Field("api", description="Who asks: a program or a command.")


class EventQuery(Wire):
    """Which events, and how many at once. All that is given must hold."""

    guild_id: Snowflake | None = None
    channel_id: Snowflake | None = Field(None, description="Only events in this channel.")
    status: EventStatus | None = None
    since: WrittenMoment | None = Field(None, alias="from", description="Only events not ended by then.")
    until: WrittenMoment | None = Field(None, alias="to", description="Only events begun before then.")
    limit: int = Field(100, ge=1, le=1000)
    cursor: Snowflake | None = Field(None, description="`next` of the page before.")


class ActiveQuery(Wire):
    """Where active events are looked for."""

    guild_id: Snowflake
    voice_channel_id: Snowflake | None = Field(None, description="Only events in this channel.")


class Policy(Wire):
    """Which time counts, besides that in an event channel, undeafened, with the required roles."""

    count_muted: bool
    count_suppressed: bool
    count_alone: bool
    count_afk: bool = Field(description="Time in the guild's AFK channel.")
    count_bridged: bool = Field(description="Time in which the gateway was away.")
    slack: Slack = Field(description="How a boundary that nobody saw is read; generous: for the member.")


class Event(Wire):
    """Something held in voice or stage channels of a guild, whose attendance counts."""

    event_id: Snowflake
    guild_id: Snowflake
    name: str
    voice_channel_ids: list[Snowflake]
    status: EventStatus
    starts_at: Moment | None = Field(description="When it begins by itself, if it does.")
    ends_at: Moment | None = Field(description="When it ends by itself, if it does.")
    started_at: Moment | None = Field(description="When it began.")
    ended_at: Moment | None = Field(description="When it ended.")
    required_role_ids: list[Snowflake]
    role_match: RoleMatch
    min_duration: Seconds
    min_share: float = Field(ge=0, le=1)
    policy: Policy
    source: Literal["api", "command", "discord"]
    discord_event_id: Snowflake | None
    settled: bool = Field(description="It has ended, all is known of it, and its badges are given.")
    created_at: Moment
    updated_at: Moment


class Difference(Wire):
    """What a new score changed."""

    participants: int = Field(description="How many there are now.")
    changed: int = Field(description="Of how many the time or the verdict is another.")
    gained: Seconds
    lost: Seconds
    newly_eligible: int
    no_longer_eligible: int


class EventRescored(Event):
    """An event after a change, with what that changed of its result, where it has one."""

    difference: Difference | None = Field(None, description="Where attendance was scored again, else absent.")


class EventPage(Wire):
    """Some events, the latest first, and where the next ones are."""

    items: list[Event]
    next: str | None = Field(description="Give it as `cursor` for the next page; null: this is the last.")
