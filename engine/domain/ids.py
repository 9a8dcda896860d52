"""Discord's snowflakes, and the ids that follow from facts instead of being drawn."""

from typing import NamedTuple

# https://docs.discord.com/developers/reference#snowflakes: milliseconds since the first second of 2015.
DISCORD_EPOCH_MS = 1_420_070_400_000
# What the pseudonym of someone who asked to be forgotten begins with.
FORGOTTEN = "forgotten-"


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


def person(user_id: int) -> str:
    """Return how a user reads outside: their id, or ``forgotten-3`` for the one whose id is now -3."""
    return str(user_id) if user_id >= 0 else f"{FORGOTTEN}{-user_id}"


def parse_person(text: str) -> int:
    """Read back what ``person`` wrote. Raises ValueError where it is none."""
    digits = text.removeprefix(FORGOTTEN)
    try:
        number = _digits(digits)
    except ValueError:
        raise ValueError(f"{text!r} is neither an id nor {FORGOTTEN}1, {FORGOTTEN}2, ...") from None
    return number if digits == text else -number


def is_pseudonym(user_id: int) -> bool:
    """Say whether this is what is left of someone who asked to be forgotten."""
    return user_id < 0


def next_pseudonym(lowest: int, partition: int, partitions: int) -> int:
    """Return the next id below ``lowest`` (0: there is none yet) that only this partition gives away."""
    taken = (-lowest - partition - 1) // partitions + 1
    return -(max(0, taken) * partitions + partition + 1)


class SessionKey(NamedTuple):
    """What identifies a session. Derived from the facts, so that a replay finds the same row again."""

    guild_id: int
    user_id: int
    joined_at: int

    def __str__(self) -> str:
        """Return the ``sessionId`` that people and programs see."""
        return f"{self.guild_id}-{person(self.user_id)}-{self.joined_at}"


def parse_session_id(text: str) -> SessionKey:
    """Read a ``sessionId`` back. Raises ValueError where it is none."""
    guild_id, _, rest = text.partition("-")
    user, _, joined_at = rest.rpartition("-")
    try:
        return SessionKey(_digits(guild_id), parse_person(user), _digits(joined_at))
    except ValueError:
        raise ValueError(f"{text!r} is not a session id (guild-user-joinedAt)") from None


def _digits(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(text)
    return int(text)
