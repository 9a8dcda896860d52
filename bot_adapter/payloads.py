"""The parts of Discord's gateway payloads that we read, as typed structs: decoding is checking.

Sources: Discord's documentation of "Voice State", "Guild", "Channel", "Guild Scheduled Event" and "Gateway
Events". Ids arrive as decimal strings. Fields that Discord calls optional or nullable have defaults here;
what we cannot do without has none. Lists are kept raw, so that one malformed item does not spoil the others.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from engine.domain.event_inputs import ScheduledStatus
from engine.domain.inputs import VoiceFlags

# Discord's ids are unsigned 64-bit by definition, but a timestamp's 42 bits reach the sign bit only in 2084;
# SQLite and everything behind us has signed 64-bit integers.
Snowflake = Annotated[int, Meta(ge=1, le=2**63 - 1)]

VOICE_CHANNEL = 2
STAGE_CHANNEL = 13


class Frame(Struct, gc=False):
    """One gateway message: opcode, data, sequence number and event name."""

    op: int
    d: Raw = Raw(b"null")
    s: int | None = None
    t: str | None = None


class Hello(Struct, gc=False):
    """HELLO: how often to send heartbeats, in ms."""

    heartbeat_interval: Annotated[int, Meta(ge=1)]


class User(Struct, gc=False):
    """A user, as far as we look."""

    id: Snowflake
    username: str | None = None
    global_name: str | None = None
    bot: bool | None = None


class Member(Struct, gc=False):
    """A guild member. ``user`` is absent in some payloads."""

    user: User | None = None
    nick: str | None = None
    roles: tuple[Snowflake, ...] | None = None


class VoiceFlagFields(Struct, gc=False):
    """What cuts a session into spans."""

    self_deaf: bool | None = None
    deaf: bool | None = None
    self_mute: bool | None = None
    mute: bool | None = None
    suppress: bool | None = None

    @property
    def flags(self) -> int:
        """Return them as ``VoiceFlags``."""
        # Plain integers: the operators of IntFlag cost more than all the rest of a translation.
        return (
            (_SELF_DEAF if self.self_deaf else 0)
            | (_DEAF if self.deaf else 0)
            | (_SELF_MUTE if self.self_mute else 0)
            | (_MUTE if self.mute else 0)
            | (_SUPPRESS if self.suppress else 0)
        )


_SELF_DEAF = int(VoiceFlags.SELF_DEAF)
_DEAF = int(VoiceFlags.DEAF)
_SELF_MUTE = int(VoiceFlags.SELF_MUTE)
_MUTE = int(VoiceFlags.MUTE)
_SUPPRESS = int(VoiceFlags.SUPPRESS)


class VoiceStatePayload(VoiceFlagFields, kw_only=True, gc=False):
    """A voice state. ``channel_id`` must be there: without it, a join and a leave look alike."""

    user_id: Snowflake
    channel_id: Snowflake | None
    session_id: str | None = None
    member: Member | None = None


class VoiceStateUpdate(VoiceStatePayload, kw_only=True, gc=False):
    """VOICE_STATE_UPDATE."""

    guild_id: Snowflake


class GuildChannel(Struct, gc=False):
    """A channel in a guild, or a CHANNEL_* event. ``guild_id`` is absent inside GUILD_CREATE and in DMs."""

    id: Snowflake
    type: int
    name: str | None = None
    guild_id: Snowflake | None = None


class ScheduledEventPayload(Struct, gc=False):
    """A scheduled event. ``channel_id`` must be there: null means that it is in none of the guild's channels.

    Times are ISO 8601, for ``moment``.
    """

    id: Snowflake
    channel_id: Snowflake | None
    entity_type: int
    status: ScheduledStatus
    scheduled_start_time: str
    scheduled_end_time: str | None = None
    name: str | None = None
    recurrence_rule: Any = None  # only whether there is one is of interest


class ScheduledEventUpdate(ScheduledEventPayload, kw_only=True, gc=False):
    """GUILD_SCHEDULED_EVENT_CREATE and _UPDATE."""

    guild_id: Snowflake


class ScheduledEventDelete(Struct, gc=False):
    """GUILD_SCHEDULED_EVENT_DELETE. It holds the event as it was last."""

    id: Snowflake
    guild_id: Snowflake


class GuildCreate(Struct, gc=False):
    """GUILD_CREATE. Of an unavailable guild there is nothing but the id."""

    id: Snowflake
    unavailable: bool | None = None
    name: str | None = None
    afk_channel_id: Snowflake | None = None
    voice_states: list[Raw] | None = None
    channels: list[Raw] | None = None
    members: list[Raw] | None = None
    guild_scheduled_events: list[Raw] | None = None


class GuildUpdate(Struct, gc=False):
    """GUILD_UPDATE."""

    id: Snowflake
    name: str | None = None
    afk_channel_id: Snowflake | None = None


class UnavailableGuild(Struct, gc=False):
    """GUILD_DELETE: an outage with ``unavailable``, else the bot was removed. Also one of READY's guilds."""

    id: Snowflake
    unavailable: bool | None = None


class Ready(Struct, gc=False):
    """READY. ``guilds``: all that the bot is in on this shard. ``shard`` (id, count): absent without shards.

    The list is decoded whole: with one item left out, that guild would count as lost.
    """

    guilds: list[UnavailableGuild]
    shard: tuple[int, Annotated[int, Meta(ge=1)]] = (0, 1)


class MemberEvent(Struct, gc=False):
    """GUILD_MEMBER_REMOVE and GUILD_MEMBER_UPDATE."""

    guild_id: Snowflake
    user: User
    nick: str | None = None
    roles: tuple[Snowflake, ...] | None = None


class Malformed(ValueError):  # noqa: N818 - says what the payload is, as FileNotFound would
    """A payload that is not what Discord documents. ``event`` and ``field`` name the place."""

    def __init__(self, event: str, field: str, problem: str) -> None:
        super().__init__(f"{event}: {field}: {problem}")
        self.event = event
        self.field = field
        self.problem = problem

    def inside(self, field: str) -> "Malformed":
        """Return the same fault as seen from the payload that holds this one in ``field``."""
        return Malformed(self.event, f"{field}.{self.field}", self.problem)


T = TypeVar("T")


class Reader(Generic[T]):
    """Decodes JSON into one payload type, and says where it does not fit."""

    def __init__(self, kind: type[T]) -> None:
        # Not strict: ids come as strings and are wanted as integers.
        self._decode = msgspec.json.Decoder(kind, strict=False).decode

    def read(self, event: str, data: bytes | Raw | str) -> T:
        """Return the payload; raises ``Malformed``."""
        try:
            return self._decode(data)
        except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
            raise malformed(event, error) from None


def malformed(event: str, error: Exception) -> Malformed:
    """Name the field: msgspec ends its messages with ``- at `$.path``` or names a missing field in quotes."""
    problem, _, path = str(error).partition(" - at ")
    field = path.strip("`").removeprefix("$").removeprefix(".")
    if "missing required field" in problem:
        missing = problem.rpartition("field ")[2].strip("`")
        field = f"{field}.{missing}" if field else missing
    return Malformed(event, field or "payload", problem)


def moment(event: str, field: str, text: str) -> int:
    """Return the ms UTC of an ISO 8601 time that tells its offset; raises ``Malformed``."""
    try:
        told = datetime.fromisoformat(text)
        at = told.astimezone(UTC)  # fails at both ends of the calendar
    except (ValueError, OverflowError):
        told = None
    if told is None or told.tzinfo is None:
        raise Malformed(event, field, "Expected an ISO 8601 time with its offset")
    return (at - _EPOCH) // timedelta(milliseconds=1)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
