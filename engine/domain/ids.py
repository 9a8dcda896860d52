"""Discord's snowflakes, and the ids that follow from facts instead of being drawn."""

from typing import NamedTuple

# https://docs.discord.com/developers/reference#snowflakes: milliseconds since the first second of 2015.
DISCORD_EPOCH_MS = 1_420_070_400_000


def created_at(snowflake: int) -> int:
    """Return the moment at which Discord made this id, in ms UTC."""
    return (snowflake >> 22) + DISCORD_EPOCH_MS


def shard_of(guild_id: int, shard_count: int) -> int:
    """Return the shard that carries a guild (Discord, "Sharding": ``(guild_id >> 22) % num_shards``)."""
    return (guild_id >> 22) % shard_count


def partition_of(guild_id: int, partitions: int) -> int:
    """Return the journal partition of a guild: the shard formula, so that shards and partitions can align."""
    return shard_of(guild_id, partitions)


def occurrence_id(discord_event_id: int, starts_at: int) -> int:
    """Return the id of one occurrence of a recurring event: a snowflake of its beginning."""
    mixed = discord_event_id ^ discord_event_id >> 22
    return (max(0, starts_at - DISCORD_EPOCH_MS) << 22 | mixed & 0x3FFFFF) & 0x7FFF_FFFF_FFFF_FFFF


class SessionKey(NamedTuple):
    """What identifies a session. Derived from the facts, so that a replay finds the same row again."""

    guild_id: int
    user_id: int
    joined_at: int

    def __str__(self) -> str:
        """Return the ``sessionId`` that people and programs see."""
        return f"{self.guild_id}-{self.user_id}-{self.joined_at}"


def parse_session_id(text: str) -> SessionKey:
    """Read a ``sessionId`` back. Raises ValueError where it is none."""
    parts = text.split("-")
    if len(parts) != len(SessionKey._fields) or not all(part.isdecimal() for part in parts):
        raise ValueError(f"{text!r} is not a session id (guild-user-joinedAt)")
    return SessionKey(*map(int, parts))
