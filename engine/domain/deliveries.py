"""What is on its way out of here: badges and notices, to a file, a log, or somebody's web server."""

from typing import NamedTuple, TypeAlias

from msgspec import Struct

from engine.domain.tracker_effects import NotifyExpiry


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

    @property
    def outbox_id(self) -> str:
        """Return what every item is known by."""
        return self.badge_id


Item: TypeAlias = Badge | NotifyExpiry
# What the outbox calls notices. Badges are of the kind of their distributor (`rules.Distributor`).
NOTICE = "notice"


class Delivery(NamedTuple):
    """What the outbox holds of one. ``item`` is None where ``error`` says why it cannot be read."""

    outbox_id: str
    guild_id: int
    item: Item | None
    error: str = ""


class FailedDelivery(NamedTuple):
    """A badge that was awarded and could not be delivered. ``detail``: why, in the receiver's words."""

    badge: Badge
    distributor: str
    detail: str
    failed_at: int
