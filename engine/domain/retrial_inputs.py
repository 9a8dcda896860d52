"""What people decide about entries that could not take effect: journaled, as whatever changes state."""

from typing import TypeAlias

from msgspec import Struct


class QuarantineLifted(Struct, frozen=True, array_like=True, tag=30, gc=False):
    """A request to let an actor work again, from what was kept of its entries on.

    ``actor``: ``guild:<id>`` or ``event:<id>``; ``guild_id``: the guild it belongs to.
    """

    at: int
    guild_id: int
    actor: str
    request_id: str = ""


class LettersRetried(Struct, frozen=True, array_like=True, tag=31, gc=False):
    """A request to take dead letters of one actor again, by the ids that their entries had in the journal."""

    at: int
    guild_id: int
    actor: str
    journal_ids: tuple[str, ...]
    request_id: str = ""


RetrialInput: TypeAlias = QuarantineLifted | LettersRetried
