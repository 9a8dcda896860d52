"""An event's life: what is asked of it, and what time does to it."""

from msgspec import Struct


class Standing(Struct, frozen=True, gc=False):
    """How an event's guild is watched; see ``guild.GuildState`` for the fields."""

    connection: str | None = None
    lost_at: int | None = None
    present: bool = False
    afk_channel_id: int | None = None
