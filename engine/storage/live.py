"""The live state: who is in voice now, as a mirror in Redis that other programs may read.

    rollcall:live:{guild_id}          hash: user_id -> msgpack [channel_id, joined_at, flags, span_at]
    rollcall:live:cursor:{partition}  the journal id the mirror stands at

The cursor moves in the same transaction as the hashes, and only from where the last commit left it. So a
Redis that was flushed, restored or written by another life is noticed, and the mirror is rebuilt.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from engine.domain.effects import DropSession, Effect, SaveSession
from engine.domain.ids import partition_of
from engine.domain.sessions import Session
from engine.storage.protocols import StorageError
from engine.storage.redis_client import Command, Wire, away_as_connection_error, connect, pack

PREFIX = "rollcall:live:"
# A field and its value are two arguments; more than this in one command would hold up the server.
FIELDS_PER_COMMAND = 1_000
COMMANDS_PER_BATCH = 500
# Effects are small, but a commit may hold many: a transaction's reply is awaited for so long.
REPLY_TIMEOUT_S = 10.0

# KEYS[1] the cursor; ARGV[1] where it must stand ("" for nowhere), ARGV[2] where it goes.
_MOVE_CURSOR = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""

_encoder = msgspec.msgpack.Encoder()


class LiveSession(NamedTuple):
    """One open session as the mirror has it."""

    channel_id: int
    joined_at: int
    flags: int
    span_at: int


_decoder = msgspec.msgpack.Decoder(LiveSession)


def live_value(session: Session) -> bytes:
    """Return what the mirror keeps of an open session."""
    return _encoder.encode((session.channel_id, session.joined_at, session.flags, session.span_at))


def guild_key(guild_id: int) -> str:
    """Return the key of a guild's hash."""
    return f"{PREFIX}{guild_id}"


class RedisLiveState:
    """One partition's ``protocols.LiveState``. One thread mirrors; any thread may read.

    ``partitions`` is how many there are in all: it tells whose a guild's hash is.
    """

    def __init__(self, url: str, partition: int, *, partitions: int = 1) -> None:
        self._url = url
        self._partition = partition
        self._partitions = partitions
        self._cursor_key = f"{PREFIX}cursor:{partition}"
        self._wire = Wire(url, timeout_s=REPLY_TIMEOUT_S)
        self._client = connect(url)

    def mirror(self, before: str, cursor: str, effects: Sequence[Effect]) -> bool:
        """Apply a commit's effects; False where the mirror did not stand at ``before``.

        Then it has taken them all the same, but its cursor has not moved, so that a life which ends before
        the rebuild leaves no mirror that looks right. Raises ``ConnectionError``.
        """
        commands = [*_commands(effects), self._move(before, cursor)]
        return bool(self._wire.transaction(pack(commands), len(commands))[-1])

    def rebuild(self, cursor: str, sessions: Iterable[tuple[int, Sequence[tuple[int, bytes]]]]) -> None:
        """Replace this partition's whole mirror, as of ``cursor``. Raises ``ConnectionError``."""
        rebuilding = f"rebuilding {cursor}"
        self._wire.ask("SET", self._cursor_key, rebuilding)
        _send(self._wire, _replacements(sessions, stale=set(self.guilds())))
        if self._wire.ask(*self._move(rebuilding, cursor)) != 1:
            raise ConnectionError("Redis was emptied while the live state was written: write it again")

    def cursor(self) -> str | None:
        """Return where the mirror stands."""
        with away_as_connection_error(self._url):
            value: Any = self._client.get(self._cursor_key)
        return value.decode() if value is not None else None

    def guilds(self) -> Iterator[int]:
        """Yield this partition's guilds that have open sessions."""
        with away_as_connection_error(self._url):
            for key in self._client.scan_iter(f"{PREFIX}[0-9]*", count=1_000):
                guild_id = int(key.removeprefix(PREFIX.encode()))
                if partition_of(guild_id, self._partitions) == self._partition:
                    yield guild_id

    def read(self, guild_id: int) -> dict[int, LiveSession]:
        """Return a guild's open sessions by user. Raises ``StorageError`` where a value is not ours."""
        with away_as_connection_error(self._url):
            found: Any = self._client.hgetall(guild_key(guild_id))
        try:
            return {int(user_id): _decoder.decode(value) for user_id, value in found.items()}
        except (ValueError, msgspec.MsgspecError) as error:
            raise StorageError(f"{guild_key(guild_id)} is not Rollcall's: {error}; delete the key") from None

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()
        self._client.close()

    def _move(self, before: str, cursor: str) -> Command:
        return ("EVAL", _MOVE_CURSOR, 1, self._cursor_key, before, cursor)


def _send(wire: Wire, commands: Iterable[Command]) -> None:
    """Send commands as pipelines of bounded size."""
    waiting = iter(commands)
    while batch := list(islice(waiting, COMMANDS_PER_BATCH)):
        wire.exchange(pack(batch), len(batch))


def _replacements(
    sessions: Iterable[tuple[int, Sequence[tuple[int, bytes]]]], stale: set[int]
) -> Iterator[Command]:
    """Yield what replaces the hashes of all guilds, those without sessions (``stale``) included."""
    for guild_id, values in sessions:
        stale.discard(guild_id)
        key = guild_key(guild_id)
        yield ("DEL", key)
        for start in range(0, len(values), FIELDS_PER_COMMAND):
            yield ("HSET", key, *_flat(values[start : start + FIELDS_PER_COMMAND]))
    for guild_id in stale:
        yield ("DEL", guild_key(guild_id))


def _commands(effects: Iterable[Effect]) -> Iterator[Command]:
    """Yield one HSET and one HDEL per guild that the effects touch; the last word on a user counts."""
    guilds: dict[int, dict[int, bytes | None]] = {}
    for effect in effects:
        if isinstance(effect, SaveSession):
            session = effect.session
            value = live_value(session) if effect.left_at is None else None
            guilds.setdefault(effect.guild_id, {})[session.user_id] = value
        elif isinstance(effect, DropSession):
            guilds.setdefault(effect.guild_id, {})[effect.user_id] = None
    for guild_id, users in guilds.items():
        key = guild_key(guild_id)
        here = [(user_id, value) for user_id, value in users.items() if value is not None]
        if here:
            yield ("HSET", key, *_flat(here))
        if len(here) < len(users):
            yield ("HDEL", key, *(user_id for user_id, value in users.items() if value is None))


def _flat(values: Iterable[tuple[int, bytes]]) -> Iterator[int | bytes]:
    return (argument for value in values for argument in value)
