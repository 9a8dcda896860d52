"""Participants, badges and statistics as clients see them. The names are a contract with other tools."""

from typing import Literal, TypeAlias

from pydantic import Field

from engine.api.schemas import Moment, Person, Seconds, Snowflake, UserName, Wire

Reason: TypeAlias = Literal["deafened", "missing_role", "afk", "bridged", "suppressed", "muted", "alone"]


class ParticipantQuery(Wire):
    """Which participants of an event, and how many at once."""

    intervals: bool = Field(False, description="With the times each was in the event's channels.")
    eligible: bool | None = Field(None, description="Only those who are eligible, or only those who are not.")
    limit: int = Field(100, ge=1, le=1000)
    cursor: Person | None = Field(None, description="`next` of the page before.")


class BadgeQuery(Wire):
    """How many badges at once."""

    limit: int = Field(100, ge=1, le=1000)
    cursor: Person | None = Field(None, description="`next` of the page before.")


class UserStatsQuery(Wire):
    """Where a user's time is summed up."""

    guild_id: Snowflake | None = Field(None, description="Only in this guild.")


class Interval(Wire):
    """A time in one of the event's channels, while the event went on."""

    join_time: Moment
    leave_time: Moment | None
    duration: Seconds
    channel_id: Snowflake
    counted: Seconds


class Participant(Wire):
    """What an event knows of one who was there; of one that is active, as of now."""

    user_id: Person
    user_name: UserName
    join_time: Moment = Field(description="When they first came.")
    leave_time: Moment | None = Field(description="When they last left; null while they are there.")
    entered_at: Moment
    start_date: Moment = Field(description="Where their last stretch of counted time begins.")
    end_date: Moment | None = Field(description="Where it ends; null while it goes on.")
    duration: Seconds = Field(description="Seconds counted, to the millisecond.")
    reasons: dict[Reason, Seconds] = Field(description="Seconds not counted, by the reason why.")
    eligible: bool = Field(description="Whether it is enough for a badge; while the event goes on, so far.")
    why: str = Field(description="The verdict in words.", examples=["50 min counted, 45 min needed"])
    intervals: list[Interval] | None = Field(None, description="Where asked for, else absent.")


class ParticipantPage(Wire):
    """Some participants, by their ids, and where the next ones are."""

    items: list[Participant]
    next: str | None = Field(description="Give it as `cursor` for the next page; null: this is the last.")


class Badge(Wire):
    """A badge that an event gave, and how its delivery stands; `recorded`: it is delivered to nobody."""

    user_id: Person
    user_name: UserName
    awarded_at: Moment
    distributor: Literal["none", "csv", "webhook", "role"]
    status: Literal["recorded", "pending", "delivered", "failed"]
    detail: str | None = Field(description="What the distributor said, where it said something.")


class BadgePage(Wire):
    """Some badges, by the ids of who has them, and where the next ones are."""

    items: list[Badge]
    next: str | None = Field(description="Give it as `cursor` for the next page; null: this is the last.")


class BadgeCounts(Wire):
    """How many badges an event gave, and how their deliveries stand."""

    awarded: int
    recorded: int
    delivered: int
    failed: int
    pending: int


class EventStats(Wire):
    """How an event went; of one that is active, how it goes by now."""

    event_id: Snowflake
    started_at: Moment | None
    ended_at: Moment | None
    length: Seconds
    participants: int
    eligible: int
    counted_seconds: Seconds
    present_seconds: Seconds = Field(description="In the event's channels, counted or not.")
    reasons: dict[Reason, Seconds] = Field(description="Seconds not counted, by the reason why.")
    peak_concurrency: int
    peak_at: Moment | None
    average_concurrency: float = Field(ge=0, description="`presentSeconds` over `length`.")
    badges: BadgeCounts


class UserStats(Wire):
    """What a user attended, and how long they were in voice channels, in one guild or in all."""

    user_id: Snowflake
    guild_id: Snowflake | None
    events_attended: int
    events_eligible: int
    badges: int
    counted_seconds: Seconds
    voice_sessions: int
    voice_seconds: Seconds


class EventCounts(Wire):
    """How many events there are of each status."""

    scheduled: int
    active: int
    ended: int
    cancelled: int


class GuildStats(Wire):
    """How much there was in a guild. `countedSeconds`: of the events that are over."""

    guild_id: Snowflake
    name: str
    members: int = Field(description="Members with a voice session.")
    voice_sessions: int
    voice_seconds: Seconds
    events: EventCounts
    participants: int = Field(description="Members who took part in an event.")
    counted_seconds: Seconds


class ChannelStats(GuildStats):
    """How much there was in a channel, and in the events held in it."""

    channel_id: Snowflake


class Guild(Wire):
    """A guild that the bot is in."""

    guild_id: Snowflake
    name: str


class GuildPage(Wire):
    """A whole list: `next` is always null, as on the last page of any other list."""

    items: list[Guild]
    next: None = None


class Channel(Wire):
    """A voice or stage channel."""

    channel_id: Snowflake
    guild_id: Snowflake
    name: str
    kind: Literal["voice", "stage"]


class ChannelPage(Wire):
    """A whole list: `next` is always null, as on the last page of any other list."""

    items: list[Channel]
    next: None = None
