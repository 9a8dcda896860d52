"""Is anyone listening who is not deafened? Asked every few seconds."""

from engine.trackers import PlayerRegistry, Tracker, TrackerContext, TrackerOptions, VoiceView


class AnyoneListening(Tracker):
    options = TrackerOptions.polling(label="anyone listening")

    def __init__(self, voice: VoiceView, players: PlayerRegistry) -> None:
        self.voice, self.players = voice, players

    async def run(self, context: TrackerContext) -> None:
        with context.scope() as scope:
            for player in self.players:
                members = self.voice.members(player.guild_id, player.channel_id)
                if any(not it.bot and not it.deafened for it in members):
                    scope.mark_active(player.guild_id)
                else:
                    scope.mark_inactive(player.guild_id)
