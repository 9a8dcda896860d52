"""What a step wants done: instructions as data, carried out together in one ledger transaction."""

from enum import IntEnum
from typing import TypeAlias

from msgspec import Struct

from engine.domain.event_effects import EventEffect
from engine.domain.sessions import Session
from engine.domain.tracker_effects import DisconnectPlayer, TrackerEffect


class Status(IntEnum):
    """A session's ``status``. Cancelled: the bot lost the guild, nobody saw the end."""

    ACTIVE = 0
    COMPLETED = 1
    CANCELLED = 2


class SaveSession(Struct, frozen=True, gc=False):
    """Write a session's row: open while ``left_at`` is None. ``at`` becomes the row's ``updated_at``."""

    guild_id: int
    session: Session
    at: int
    left_at: int | None = None
    left_slack_ms: int = 0
    status: Status = Status.ACTIVE


class DropSession(Struct, frozen=True, gc=False):
    """Remove a session that turned out shorter than the minimum, with its spans.

    It had begun at ``joined_at`` and was left ``at``.
    """

    guild_id: int
    user_id: int
    joined_at: int
    at: int


class SaveSpan(Struct, frozen=True, gc=False):
    """Write a span that has ended. The last one is the session row's own ``flags`` and ``span_at``."""

    guild_id: int
    user_id: int
    joined_at: int
    started_at: int
    ended_at: int
    flags: int
    roles: tuple[int, ...] = ()


class DropSpans(Struct, frozen=True, gc=False):
    """Take back what a session's spans say of the time from ``since`` on: its end may lie there."""

    guild_id: int
    user_id: int
    joined_at: int
    since: int


class SaveGuild(Struct, frozen=True, gc=False):
    """Write what is known of a guild besides its sessions. See ``guild.GuildState`` for the fields."""

    guild_id: int
    name: str
    afk_channel_id: int | None
    connection: str | None
    confirmed_at: int | None
    lost_at: int | None
    present: bool
    own_user_id: int | None
    at: int


class SaveChannel(Struct, frozen=True, gc=False):
    """Write a voice or stage channel. ``created_at`` only where its creation was seen."""

    guild_id: int
    channel_id: int
    name: str
    kind: int
    created_at: int | None = None


class SaveMember(Struct, frozen=True, gc=False):
    """Write what a member is called in a guild, as people see it there."""

    guild_id: int
    user_id: int
    name: str


class DropChannel(Struct, frozen=True, gc=False):
    """Mark a channel as deleted; its name stays for the sessions that were in it."""

    guild_id: int
    channel_id: int
    at: int


class PostMessage(Struct, frozen=True, tag="message", gc=False):
    """Post to a Discord channel, through the outbox. ``outbox_id`` is derived: same effect, same id."""

    outbox_id: str
    guild_id: int
    channel_id: int
    content: str
    at: int


class GrantRole(Struct, frozen=True, tag="role", gc=False):
    """Grant a Discord role, through the outbox. Doing it twice is harmless."""

    outbox_id: str
    guild_id: int
    user_id: int
    role_id: int
    at: int


class ForgetMember(Struct, frozen=True, gc=False):
    """Remove or anonymize a person everywhere in the partition's rows. Stands alone in its commit.

    What is open ends ``at``, and leaves no row if it was shorter than ``min_session_ms``. What was done is
    answered under ``request_id``.
    """

    user_id: int
    at: int
    min_session_ms: int = 0
    request_id: str = ""


class SettleOutbox(Struct, frozen=True, gc=False):
    """Note how an outbox effect ended."""

    outbox_id: str
    ok: bool
    detail: str
    at: int


# What the outbox carries to the ingest.
ToDiscord: TypeAlias = PostMessage | GrantRole | DisconnectPlayer

Effect: TypeAlias = (
    SaveSession
    | DropSession
    | SaveSpan
    | DropSpans
    | SaveGuild
    | SaveChannel
    | DropChannel
    | SaveMember
    | PostMessage
    | GrantRole
    | ForgetMember
    | SettleOutbox
    | EventEffect
    | TrackerEffect
)
