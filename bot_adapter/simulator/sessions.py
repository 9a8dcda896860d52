"""Gateway sessions: what a client has asked for, what it was sent, and what a RESUME brings again."""

import time
import uuid
from collections import deque
from enum import IntFlag
from itertools import islice
from typing import Any, Protocol

import msgspec

from bot_adapter.simulator.structure import Dispatch
from engine.domain.ids import shard_of


class Intents(IntFlag):
    """https://docs.discord.com/developers/events/gateway#gateway-intents, as far as they occur here."""

    GUILDS = 1
    GUILD_MEMBERS = 2
    GUILD_VOICE_STATES = 128
    GUILD_PRESENCES = 256
    GUILD_MESSAGES = 512
    MESSAGE_CONTENT = 32768
    GUILD_SCHEDULED_EVENTS = 65536


PRIVILEGED = Intents.GUILD_MEMBERS | Intents.GUILD_PRESENCES | Intents.MESSAGE_CONTENT
# Bits 0-16, 20, 21, 24, 25 have a meaning; any other is refused.
KNOWN_INTENTS = 0x1FFFF | 1 << 20 | 1 << 21 | 1 << 24 | 1 << 25

_INTENT_OF = {
    "GUILD_MEMBER_ADD": Intents.GUILD_MEMBERS,
    "GUILD_MEMBER_UPDATE": Intents.GUILD_MEMBERS,
    "GUILD_MEMBER_REMOVE": Intents.GUILD_MEMBERS,
    "VOICE_STATE_UPDATE": Intents.GUILD_VOICE_STATES,
    "MESSAGE_CREATE": Intents.GUILD_MESSAGES,
    "GUILD_SCHEDULED_EVENT_CREATE": Intents.GUILD_SCHEDULED_EVENTS,
    "GUILD_SCHEDULED_EVENT_UPDATE": Intents.GUILD_SCHEDULED_EVENTS,
    "GUILD_SCHEDULED_EVENT_DELETE": Intents.GUILD_SCHEDULED_EVENTS,
}


class Wire(Protocol):
    """A connection, as far as a session needs one."""

    def send(self, payload: bytes) -> None: ...

    def close(self, code: int) -> None: ...


class Session:
    """One client's session on one shard. It outlives its connection, for a while.

    ``held`` keeps what is dispatched back; `flush` sends it afterwards.
    """

    def __init__(self, intents: int, shard: tuple[int, int], *, replay_max: int) -> None:
        self.session_id = uuid.uuid4().hex
        self.intents = Intents(intents)
        self.shard_id, self.shard_count = shard
        self.seq = 0
        self.sent_seq = 0
        self.held = False
        self.wire: Wire | None = None
        self.lost_at: float | None = None
        self._replay: deque[bytes] = deque(maxlen=replay_max)

    def carries(self, guild_id: int) -> bool:
        return shard_of(guild_id, self.shard_count) == self.shard_id

    def wants(self, dispatch: Dispatch, own_user_id: int) -> bool:
        """Tell whether shard and intents let an event through. Updates of the bot itself need no intent."""
        if dispatch.name == "GUILD_MEMBER_UPDATE" and dispatch.user_id == own_user_id:
            return self.carries(dispatch.guild_id)
        intent = _INTENT_OF.get(dispatch.name, Intents.GUILDS)
        return bool(self.intents & intent) and self.carries(dispatch.guild_id)

    def dispatch(self, name: str, data: Any) -> None:
        """Number an event, remember it for a RESUME, and send it if there is a connection."""
        self.seq += 1
        self._replay.append(frame(name, self.seq, msgspec.json.encode(data)))
        self.flush()

    def flush(self) -> None:
        """Send whatever has not been sent on this connection."""
        if self.wire is None or self.held:
            return
        for payload in self._unsent():
            self.wire.send(payload)
        self.sent_seq = self.seq

    def reserve(self, payloads: list[bytes]) -> None:
        """Take frames that carry the next numbers already and that somebody else sends."""
        self.seq += len(payloads)
        self.sent_seq = self.seq
        self._replay.extend(payloads)

    def can_replay_from(self, seq: int) -> bool:
        return self.seq - seq <= len(self._replay)

    def attach(self, wire: Wire, sent_seq: int) -> None:
        if self.wire is not None:
            self.wire.close(4000)
        self.wire, self.sent_seq, self.lost_at = wire, sent_seq, None
        self.flush()

    def detach(self, wire: Wire) -> None:
        """Note that a connection is gone, unless another has taken its place already."""
        if self.wire is wire:
            self.wire, self.lost_at = None, time.monotonic()

    def expired(self, window_s: float) -> bool:
        return self.lost_at is not None and time.monotonic() - self.lost_at > window_s

    def _unsent(self) -> list[bytes]:
        # From the right, since a dispatch usually sends just the last of many.
        return list(islice(reversed(self._replay), self.seq - self.sent_seq))[::-1]


def frame(name: str, seq: int, data: bytes) -> bytes:
    """Write one dispatch around its encoded ``d``, with the keys in Discord's order."""
    return b'{"t":"%b","s":%d,"op":0,"d":%b}' % (name.encode(), seq, data)
