"""Is anyone listening who is not deafened? Asked whenever a guild's voice has changed."""

from engine.trackers import PlayerRegistry, Tracker, TrackerContext, TrackerOptions, VoiceView


class AnyoneListening(Tracker):
    options = TrackerOptions.realtime(label="anyone listening")

    def __init__(self, voice: VoiceView, players: PlayerRegistry) -> None:
        self.voice, self.players = voice, players

    async def run(self, context: TrackerContext) -> None:
        async for guild_id in self.voice.changes():
            player = self.players.get(guild_id)
            if player is None:
                continue
            members = self.voice.members(guild_id, player.channel_id)
            with context.scope() as scope:
                if any(not it.bot and not it.deafened for it in members):
                    scope.mark_active(guild_id)
                else:
                    scope.mark_inactive(guild_id)
