"""VOICE_STATE_UPDATE payloads by the hundred thousand, for the bench: cheap to make, cheaper to send.

They tell legal histories (nobody leaves who is not there), but outside of the world: its truth knows nothing
of them.
"""

import random
import zlib
from collections.abc import Iterator

from bot_adapter.simulator.entities import Guild
from bot_adapter.simulator.sessions import frame
from bot_adapter.simulator.world import World

# Of a member in voice, how often each happens next.
_LEAVE, _TOGGLE = 1 / 7, 2 / 7

_TEMPLATE = (
    b'{"member":{"user":{"id":"%(user)d","username":"user%(user)d","global_name":"User","discriminator":"0",'
    b'"avatar":null,"avatar_decoration_data":null,"collectibles":null,"primary_guild":null,"public_flags":0,'
    b'"bot":false},"nick":null,"avatar":null,"banner":null,"roles":["%(guild)d"],'
    b'"joined_at":"2024-03-04T05:06:07.089000+00:00","premium_since":null,"deaf":false,"mute":false,"flags":0,'
    b'"pending":false,"communication_disabled_until":null},"guild_id":"%(guild)d","channel_id":%(channel)b,'
    b'"user_id":"%(user)d","session_id":"%(session)032x","deaf":false,"mute":false,"self_deaf":%(deaf)b,'
    b'"self_mute":false,"self_video":false,"suppress":false,"request_to_speak_timestamp":null}'
)
_FIRST_USER_ID = 1_100_000_000_000_000_000


class _Voice:
    """Where one made-up member is."""

    __slots__ = ("channel", "deaf", "joins")

    def __init__(self) -> None:
        self.channel: bytes | None = None
        self.deaf = False
        self.joins = 0


def voice_state_updates(
    world: World, count: int, *, seed: int = 1, members_per_guild: int = 20
) -> Iterator[bytes]:
    """Yield ``count`` encoded payloads, of made-up members spread at random over the world's guilds."""
    draw = random.Random(seed)  # noqa: S311 - a reproducible load, no secret
    guilds = [(it.guild_id, _channel_ids(it)) for it in world.guilds.values()]
    members = [_Voice() for _ in range(len(guilds) * members_per_guild)]
    for _ in range(count):
        index = draw.randrange(len(members))
        guild_id, channel_ids = guilds[index // members_per_guild]
        _step(members[index], channel_ids, draw)
        yield _payload(guild_id, _FIRST_USER_ID + index, members[index])


def _channel_ids(guild: Guild) -> list[bytes]:
    return [b'"%d"' % channel.channel_id for channel in guild.voice_channels()]


def _step(voice: _Voice, channel_ids: list[bytes], draw: random.Random) -> None:
    chance = draw.random()
    if voice.channel is None:
        voice.channel, voice.deaf = draw.choice(channel_ids), False
        voice.joins += 1
    elif chance < _LEAVE:
        voice.channel = None
    elif chance < _LEAVE + _TOGGLE:
        voice.deaf = not voice.deaf
    else:
        voice.channel = draw.choice(channel_ids)


def _payload(guild_id: int, user_id: int, voice: _Voice) -> bytes:
    return _TEMPLATE % {
        b"guild": guild_id,
        b"user": user_id,
        b"channel": voice.channel or b"null",
        b"session": user_id << 20 | voice.joins,
        b"deaf": b"true" if voice.deaf else b"false",
    }


def numbered(payloads: Iterator[bytes], first_seq: int) -> list[bytes]:
    """Make dispatches of payloads, with numbers from ``first_seq`` on."""
    return [frame("VOICE_STATE_UPDATE", seq, data) for seq, data in enumerate(payloads, first_seq)]


def on_the_wire(dispatches: list[bytes], *, compressed: bool) -> list[bytes]:
    """Wrap dispatches in websocket frames, compressed for any place within a zlib-stream if asked."""
    if not compressed:
        return [_websocket_frame(0x1, dispatch) for dispatch in dispatches]
    # Without a header, and each ending in a full flush: see `connection.Packer`.
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return [_websocket_frame(0x2, raw.compress(it) + raw.flush(zlib.Z_FULL_FLUSH)) for it in dispatches]


def _websocket_frame(opcode: int, payload: bytes) -> bytes:
    """Frame a message of up to 64 KB as a server does: unmasked (RFC 6455, section 5.2)."""
    size = len(payload)
    length = bytes((size,)) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return bytes((0x80 | opcode,)) + length + payload
