"""What an ingest tells of two guilds, as tests write it."""

from engine.domain.inputs import Heartbeat, ShardBeat, VoiceStateChanged

GUILD, OTHER, ROOM = 1 << 22, 2 << 22, 7


def beat(at, connection="shard/1", *, alive_at=None):
    return Heartbeat(at, (ShardBeat(0, connection, True, at if alive_at is None else alive_at),))


def moved(at, user_id, channel_id=ROOM, guild_id=GUILD, flags=0):
    return VoiceStateChanged(at, guild_id, user_id, channel_id, int(flags))
