"""The active events in the live state, under the keys that seed 002 names.

    /events/active?guildId={guild_id}                              hash: event_id -> JSON of the event
    /events/active?guildId={guild_id}&voiceChannelId={channel_id}  hash: event_id -> JSON of the event
    processor_/events/{event_id}/participants/{user_id}            JSON of the participant

What goes with an event is found by keys of our own: nothing ever looks through all of Redis.

    rollcall:live:events                     hash: event_id -> guild_id, of all that may have left a key
    rollcall:live:event:{event_id}:channels  set: the channels it stands under
    rollcall:live:event:{event_id}:users     set: the participants that have a key
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import redis

from engine.domain.attendance import Participant
from engine.domain.effects import Effect
from engine.domain.event_effects import DropParticipant, FollowParticipants, SaveEvent, SaveParticipants
from engine.domain.event_views import event_json, followed_json
from engine.domain.events import Event, EventStatus
from engine.domain.ids import partition_of, person
from engine.storage.protocols import StorageError
from engine.storage.redis_client import Command, Wire

PREFIX = "rollcall:live:"
INDEX = f"{PREFIX}events"
# A field and its value are two arguments; more than this in one command would hold up the server.
FIELDS_PER_COMMAND = 1_000
# What of a commit's effects concerns events here.
KINDS = frozenset({SaveEvent, SaveParticipants, FollowParticipants, DropParticipant})

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, Any])


def active_key(guild_id: int, channel_id: int | None = None) -> str:
    """Return the key of a guild's active events, or of those in one of its channels."""
    key = f"/events/active?guildId={guild_id}"
    return key if channel_id is None else f"{key}&voiceChannelId={channel_id}"


def participant_key(event_id: int, user_id: int) -> str:
    """Return the key of a participant."""
    return f"processor_/events/{event_id}/participants/{person(user_id)}"


def channels_key(event_id: int) -> str:
    """Return the key of the set of channels that an event stands under."""
    return f"{PREFIX}event:{event_id}:channels"


def users_key(event_id: int) -> str:
    """Return the key of the set of an event's participants."""
    return f"{PREFIX}event:{event_id}:users"


@dataclass(slots=True)
class Changes:
    """What a commit says of one event, the last word on each key.

    ``event``: None where it is not said. ``emptied``: no participant stays but those of ``users``, which
    gives their values; None takes one away.
    """

    guild_id: int
    event: Event | None = None
    emptied: bool = False
    users: dict[int, bytes | None] = field(default_factory=dict)

    def take(self, effect: Effect) -> None:
        """Take the next word."""
        if isinstance(effect, SaveEvent):
            self.event = effect.event
        elif isinstance(effect, FollowParticipants):
            self.users.update(_values(effect.rows))
        elif isinstance(effect, DropParticipant):
            self.users[effect.user_id] = None
        elif isinstance(effect, SaveParticipants) and effect.whole:
            self._empty()

    def finish(self) -> None:
        """Leave nobody in an event that is not active: a participant's key lives no longer than that."""
        if self.event is not None and self.event.status is not EventStatus.ACTIVE:
            self._empty()

    def _empty(self) -> None:
        self.emptied = True
        self.users.clear()


class EventsMirror:
    """One partition's writer of the events. It reads its own sets over ``wire``, one thread at a time.

    All methods raise ``ConnectionError`` when Redis is away.
    """

    def __init__(self, wire: Wire, partition: int, partitions: int) -> None:
        self._wire = wire
        self._partition = partition
        self._partitions = partitions

    def commands(self, effects: Iterable[Effect]) -> Iterator[Command]:
        """Yield what a commit's effects (of ``KINDS``) change, for one transaction."""
        for event_id, changes in _by_event(effects).items():
            yield from self._event(event_id, changes)
            yield from self._participants(event_id, changes)

    def replacements(self, active: Iterable[tuple[Event, Sequence[Participant]]]) -> Iterator[Command]:
        """Yield what replaces all of the partition's events.

        In an order that leaves no key without its name in the index, wherever it breaks off.
        """
        for event_id, guild_id in self._indexed():
            yield from self._removal(event_id, guild_id)
        cleared = set[str]()
        for event, participants in active:
            mine = {active_key(event.guild_id), *_channel_keys(event, event.channel_ids)}
            yield ("DEL", *sorted(mine - cleared), channels_key(event.event_id), users_key(event.event_id))
            cleared |= mine
            yield from _shown(event)
            yield from _set(event.event_id, list(_values(participants).items()))

    def _event(self, event_id: int, changes: Changes) -> Iterator[Command]:
        event = changes.event
        if event is None:
            if changes.users:
                yield ("HSET", INDEX, event_id, changes.guild_id)
            return
        active = event.status is EventStatus.ACTIVE
        if active:
            yield from _shown(event)
        else:
            yield ("HDEL", active_key(event.guild_id), event_id)
            yield ("HDEL", INDEX, event_id)
        gone = {*self._members(channels_key(event_id)), *event.channel_ids}
        gone.difference_update(event.channel_ids if active else ())
        for key in _channel_keys(event, gone):
            yield ("HDEL", key, event_id)
        for part in _parts(sorted(gone)):
            yield ("SREM", channels_key(event_id), *part)

    def _participants(self, event_id: int, changes: Changes) -> Iterator[Command]:
        gone = {user_id for user_id, value in changes.users.items() if value is None}
        if changes.emptied:
            gone.update(it for it in self._members(users_key(event_id)) if it not in changes.users)
        yield from _gone(event_id, sorted(gone))
        here = [(user_id, value) for user_id, value in changes.users.items() if value is not None]
        yield from _set(event_id, here)

    def _removal(self, event_id: int, guild_id: int) -> Iterator[Command]:
        yield ("DEL", active_key(guild_id))
        for part in _parts([active_key(guild_id, it) for it in self._members(channels_key(event_id))]):
            yield ("DEL", *part)
        yield from _gone(event_id, list(self._members(users_key(event_id))))
        yield ("DEL", channels_key(event_id), users_key(event_id))
        yield ("HDEL", INDEX, event_id)

    def _members(self, key: str) -> Iterator[int]:
        """Yield a set's members, some perhaps twice."""
        cursor = b"0"
        while True:
            cursor, found = self._wire.ask("SSCAN", key, cursor, "COUNT", FIELDS_PER_COMMAND)
            yield from (int(it) for it in found if _is_id(it))
            if cursor == b"0":
                return

    def _indexed(self) -> Iterator[tuple[int, int]]:
        """Yield ``(event_id, guild_id)`` of this partition's events that may have left keys."""
        cursor = b"0"
        while True:
            cursor, found = self._wire.ask("HSCAN", INDEX, cursor, "COUNT", FIELDS_PER_COMMAND)
            for event_id, guild_id in zip(found[::2], found[1::2], strict=True):
                ours = event_id.isdigit() and guild_id.isdigit()
                if ours and partition_of(int(guild_id), self._partitions) == self._partition:
                    yield int(event_id), int(guild_id)
            if cursor == b"0":
                return


def read_active(
    client: redis.Redis, cursor_key: str, guild_id: int, channel_id: int | None
) -> tuple[str | None, list[dict[str, Any]]]:
    """Return where the mirror stood at that moment, and the active events in order of their ids.

    Raises what redis-py raises, and ``StorageError`` where a value is not ours.
    """
    key = active_key(guild_id, channel_id)
    with client.pipeline(transaction=True) as pipeline:
        pipeline.get(cursor_key)
        pipeline.hgetall(key)
        try:
            cursor, found = pipeline.execute()
        except redis.ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            raise _foreign(key, "another type of value") from None
    events = {_id(key, name): _decoded(key, value) for name, value in found.items()}
    return None if cursor is None else cursor.decode(), [events[it] for it in sorted(events)]


def read_participants(client: redis.Redis, event_id: int) -> dict[int, dict[str, Any]]:
    """Return an event's participants by user. Raises as ``read_active`` does."""
    users = [_id(users_key(event_id), it) for it in client.sscan_iter(users_key(event_id), count=1_000)]
    found: dict[int, dict[str, Any]] = {}
    for part in _parts(users):
        keys = [participant_key(event_id, user_id) for user_id in part]
        values: Any = client.mget(keys)
        for user_id, key, value in zip(part, keys, values, strict=True):
            if value is not None:  # None: gone since the set was read
                found[user_id] = _decoded(key, value)
    return found


def _by_event(effects: Iterable[Effect]) -> Mapping[int, Changes]:
    found: dict[int, Changes] = {}
    for effect in effects:
        it: Any = effect.event if isinstance(effect, SaveEvent) else effect
        found.setdefault(it.event_id, Changes(it.guild_id)).take(effect)
    for changes in found.values():
        changes.finish()
    return found


def _shown(event: Event) -> Iterator[Command]:
    """Yield what puts an active event under its guild and its channels."""
    value = _encoder.encode(event_json(event))
    yield ("HSET", INDEX, event.event_id, event.guild_id)
    for part in _parts(event.channel_ids):
        yield ("SADD", channels_key(event.event_id), *part)
    for key in (active_key(event.guild_id), *_channel_keys(event, event.channel_ids)):
        yield ("HSET", key, event.event_id, value)


def _set(event_id: int, values: Sequence[tuple[int, bytes]]) -> Iterator[Command]:
    for part in _parts(values):
        yield ("SADD", users_key(event_id), *(user_id for user_id, _ in part))
        yield ("MSET", *(it for user_id, value in part for it in (participant_key(event_id, user_id), value)))


def _gone(event_id: int, users: Sequence[int]) -> Iterator[Command]:
    for part in _parts(users):
        yield ("DEL", *(participant_key(event_id, user_id) for user_id in part))
        yield ("SREM", users_key(event_id), *part)


def _values(participants: Iterable[Participant]) -> dict[int, bytes]:
    return {it.user_id: _encoder.encode(followed_json(it)) for it in participants}


def _channel_keys(event: Event, channels: Iterable[int]) -> list[str]:
    return [active_key(event.guild_id, it) for it in sorted(channels)]


def _parts(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Cut what may be many into what one command may hold."""
    for start in range(0, len(items), FIELDS_PER_COMMAND):
        yield items[start : start + FIELDS_PER_COMMAND]


def _is_id(text: bytes) -> bool:
    return text.removeprefix(b"-").isdigit()  # of someone forgotten, below 0


def _id(key: str, text: bytes) -> int:
    if not _is_id(text):
        raise _foreign(key, f"{text!r} is no id")
    return int(text)


def _decoded(key: str, value: bytes) -> dict[str, Any]:
    try:
        return _decoder.decode(value)
    except msgspec.MsgspecError as error:
        raise _foreign(key, str(error)) from None


def _foreign(key: str, reason: str) -> StorageError:
    return StorageError(f"{key} is not Rollcall's: {reason}; delete the key")
