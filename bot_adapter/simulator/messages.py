"""Text messages that the bot posts, kept so that tests can read them."""

from bot_adapter.simulator import payloads
from bot_adapter.simulator.payloads import Json
from bot_adapter.simulator.world import World

# Discord remembers an enforced nonce for "the past few minutes".
NONCE_MEMORY_MS = 300_000


class MessageBoard:
    """Every message in the order of its posting, as JSON."""

    def __init__(self, world: World) -> None:
        self.messages: list[Json] = []
        self._world = world
        self._by_nonce: dict[tuple[int, str], tuple[int, Json]] = {}

    def post(
        self, channel_id: int, content: str, *, nonce: str | None = None, enforce_nonce: bool = False
    ) -> Json:
        """Post as the bot. An enforced nonce posted a moment ago gives the same message again."""
        if enforce_nonce and nonce and (earlier := self._recent(channel_id, nonce)):
            return earlier
        message = self._message(channel_id, content, nonce)
        self.messages.append(message)
        if nonce:
            self._by_nonce[channel_id, nonce] = (self._world.clock(), message)
        self._announce(channel_id, message)
        return message

    def _recent(self, channel_id: int, nonce: str) -> Json | None:
        posted_at, message = self._by_nonce.get((channel_id, nonce), (0, None))
        return message if self._world.clock() - posted_at < NONCE_MEMORY_MS else None

    def _announce(self, channel_id: int, message: Json) -> None:
        channel, bot = self._world.channel(channel_id), self._world.bot
        member = payloads.member(self._world.member(channel.guild_id, bot.user_id))
        del member["user"]
        data = message | {"guild_id": str(channel.guild_id), "member": member}
        self._world.emit("MESSAGE_CREATE", channel.guild_id, data, bot.user_id)

    def _message(self, channel_id: int, content: str, nonce: str | None) -> Json:
        message: Json = {
            "id": str(self._world.new_id()),
            "channel_id": str(channel_id),
            "author": payloads.user(self._world.bot),
            "content": content,
            "timestamp": payloads.iso(self._world.clock()),
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "attachments": [],
            "embeds": [],
            "components": [],
            "pinned": False,
            "type": 0,
            "flags": 0,
        }
        return message | {"nonce": nonce} if nonce else message
