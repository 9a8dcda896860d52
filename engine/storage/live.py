"""The live state: who is in voice now, as a mirror in Redis that other programs may read.

    rollcall:live:{guild_id}          hash: user_id -> msgpack [channel_id, joined_at, flags, span_at]
    rollcall:live:cursor:{partition}  the journal id the mirror stands at

The active events and their participants stand beside: see ``live_events``. The cursor moves in the same
transaction as all of them, and only from where the last commit left it. So a Redis that was flushed, restored
or written by another life is noticed, and the mirror is rebuilt.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from engine.domain.attendance import Participant
from engine.domain.effects import DropSession, Effect, ForgetMember, SaveSession
from engine.domain.events import Event
from engine.domain.ids import partition_of
from engine.domain.sessions import Session
from engine.storage import live_events
from engine.storage.live_events import FIELDS_PER_COMMAND, PREFIX, EventsMirror
from engine.storage.protocols import StorageError
from engine.storage.redis_client import Command, Wire, away_as_connection_error, connect, pack

COMMANDS_PER_BATCH = 500
# Effects are small, but a commit may hold many: a transaction's reply is awaited for so long.
REPLY_TIMEOUT_S = 10.0

# What a cursor begins with while the mirror is being written.
REBUILDING = "rebuilding"
# The effects that are not of every day, looked at apart.
_RARE = live_events.KINDS | {ForgetMember}

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
        self._cursor_key = _cursor_key(partition)
        self._wire = Wire(url, timeout_s=REPLY_TIMEOUT_S)
        self._events = EventsMirror(self._wire, partition, partitions)
        self._client = connect(url)

    def mirror(self, before: str, cursor: str, effects: Sequence[Effect]) -> bool:
        """Apply a commit's effects; False where the mirror did not stand at ``before``.

        Then it has taken them all the same, but its cursor has not moved, so that a life which ends before
        the rebuild leaves no mirror that looks right. Nor does it follow a commit that forgets a member: only
        the ledger tells where they were. Raises ``ConnectionError``.
        """
        commands, rare = _commands(effects)
        commands += self._events.commands(it for it in rare if type(it) in live_events.KINDS)
        forgets = ForgetMember in map(type, rare)
        commands.append(("DEL", self._cursor_key) if forgets else self._move(before, cursor))
        followed = self._wire.transaction(pack(commands), len(commands))[-1]
        return bool(followed) and not forgets

    def rebuild(
        self,
        cursor: str,
        sessions: Iterable[tuple[int, Sequence[tuple[int, bytes]]]],
        active: Iterable[tuple[Event, Sequence[Participant]]] = (),
    ) -> None:
        """Replace this partition's whole mirror, as of ``cursor``. Raises ``ConnectionError``."""
        rebuilding = f"{REBUILDING} {cursor}"
        self._wire.ask("SET", self._cursor_key, rebuilding)
        _send(self._wire, _replacements(sessions, stale=set(self.guilds())))
        _send(self._wire, self._events.replacements(active))
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
                text = key.removeprefix(PREFIX.encode())
                if text.isdigit() and partition_of(int(text), self._partitions) == self._partition:
                    yield int(text)

    def read(self, guild_id: int) -> dict[int, LiveSession]:
        """Return a guild's open sessions by user. Raises ``StorageError`` where a value is not ours."""
        with away_as_connection_error(self._url):
            found: Any = self._client.hgetall(guild_key(guild_id))
        try:
            return {int(user_id): _decoder.decode(value) for user_id, value in found.items()}
        except (ValueError, msgspec.MsgspecError) as error:
            raise StorageError(f"{guild_key(guild_id)} is not Rollcall's: {error}; delete the key") from None

    def active_events(self, guild_id: int, channel_id: int | None = None) -> list[dict[str, Any]] | None:
        """Return the active events of any guild, or those in one of its channels, in order of their ids.

        As ``event_views.event_json`` writes them. None where the mirror is not to be trusted: Redis is away
        or was emptied, or the mirror is being rebuilt. Raises ``StorageError`` where a value is not ours.
        """
        key = _cursor_key(partition_of(guild_id, self._partitions))
        try:
            with away_as_connection_error(self._url):
                cursor, events = live_events.read_active(self._client, key, guild_id, channel_id)
        except ConnectionError:
            return None
        return None if cursor is None or cursor.startswith(REBUILDING) else events

    def participants(self, event_id: int) -> dict[int, dict[str, Any]]:
        """Return an active event's participants by user, as ``event_views.followed_json`` writes them.

        Raises ``StorageError`` where a value is not ours.
        """
        with away_as_connection_error(self._url):
            return live_events.read_participants(self._client, event_id)

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


def _cursor_key(partition: int) -> str:
    return f"{PREFIX}cursor:{partition}"


def _commands(effects: Iterable[Effect]) -> tuple[list[Command], list[Effect]]:
    """Return what changes the sessions' hashes, and the rare effects."""
    guilds: dict[int, dict[int, bytes | None]] = {}
    rare: list[Effect] = []
    for effect in effects:
        if type(effect) is SaveSession:
            session = effect.session
            value = live_value(session) if effect.left_at is None else None
            guilds.setdefault(effect.guild_id, {})[session.user_id] = value
        elif type(effect) is DropSession:
            guilds.setdefault(effect.guild_id, {})[effect.user_id] = None
        elif type(effect) in _RARE:
            rare.append(effect)
    return list(_session_commands(guilds)), rare


def _session_commands(guilds: dict[int, dict[int, bytes | None]]) -> Iterator[Command]:
    """Yield one HSET and one HDEL per guild; the last word on a user counts."""
    for guild_id, users in guilds.items():
        key = guild_key(guild_id)
        here = [(user_id, value) for user_id, value in users.items() if value is not None]
        if here:
            yield ("HSET", key, *_flat(here))
        if len(here) < len(users):
            yield ("HDEL", key, *(user_id for user_id, value in users.items() if value is None))


def _flat(values: Iterable[tuple[int, bytes]]) -> Iterator[int | bytes]:
    return (argument for value in values for argument in value)
