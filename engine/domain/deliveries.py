"""Badges on their way to where they are kept outside: a file, or somebody's web server."""

from typing import NamedTuple

from msgspec import Struct


class Badge(Struct, frozen=True, gc=False):
    """A badge as it is handed over. ``badge_id``: its name in the outbox, the same each time.

    ``event_name``: None where the event is not known any more. ``awarded_at``: ms UTC.
    """

    badge_id: str
    event_id: int
    event_name: str | None
    guild_id: int
    user_id: int
    awarded_at: int


class Delivery(NamedTuple):
    """What the outbox holds of one. ``badge`` is None where ``error`` says why it cannot be read."""

    badge_id: str
    guild_id: int
    badge: Badge | None
    error: str = ""


class FailedDelivery(NamedTuple):
    """A badge that was awarded and could not be delivered. ``detail``: why, in the receiver's words."""

    badge: Badge
    distributor: str
    detail: str
    failed_at: int
