"""What the engine's HTTP and metrics ask of storage while it runs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from engine.daemon.common import INGEST_STATUS
from engine.domain.ids import partition_of

PARENT_WITHIN_S = 1.0

if TYPE_CHECKING:
    from engine.actors.view import Lookups
    from engine.badges.delivery import DeliveryStats
    from engine.config import Config
    from engine.storage.live import RedisLiveState
    from engine.storage.queries import SqlReads

    Mirrors = list[RedisLiveState]


def mirrors(config: "Config") -> "Mirrors":
    """Open the live state of every partition for reading."""
    from engine.storage.live import RedisLiveState

    partitions = config.storage.partitions
    return [RedisLiveState(config.redis_url, number, partitions=partitions) for number in range(partitions)]


def active_events(mirrored: "Mirrors") -> Callable[[int, int | None], list[dict[str, Any]] | None]:
    """Return how the live state is asked for active events; None where it cannot be trusted."""

    def ask(guild_id: int, channel_id: int | None) -> list[dict[str, Any]] | None:
        return mirrored[partition_of(guild_id, len(mirrored))].active_events(guild_id, channel_id)

    return ask


def lookups(
    config: "Config",
    mirrored: "Mirrors",
    reads: "SqlReads",
    delivered: "tuple[DeliveryStats, DeliveryStats]",
    trackers: Callable[[], list[dict[str, Any]]],
) -> "Lookups":
    """Return what the view asks of storage. ``delivered``: how badges fare, and notices."""
    from engine.actors.view import Lookups
    from engine.processes.control import ControlError, ask
    from engine.storage.status import StatusBoard

    board = StatusBoard(config.redis_url)

    def ingest() -> dict[str, Any] | None:
        try:
            return board.read(INGEST_STATUS)
        except ConnectionError:
            return None

    def live() -> dict[str, Any]:
        try:
            held = {guild_id: len(it.read(guild_id)) for it in mirrored for guild_id in it.guilds()}
            return {
                "cursor": {str(number): it.cursor() for number, it in enumerate(mirrored)},
                "guilds": len(held),
                "sessions": sum(held.values()),
            }
        except ConnectionError as error:
            return {"cursor": None, "guilds": None, "sessions": None, "error": str(error)}

    def deliveries() -> dict[str, float]:
        badges, notices = delivered
        return {
            "badges_delivered": badges.delivered,
            "badges_failed": badges.failed,
            "badge_retries": badges.retries,
            "badges_pending": badges.pending,
            "notices_delivered": notices.delivered,
            "notices_failed": notices.failed,
            "notice_retries": notices.retries,
            "notices_pending": notices.pending,
        }

    def processes() -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = ask(config.control_socket, {"do": "processes"}, PARENT_WITHIN_S)
        except (ConnectionError, ControlError):
            return []  # the engine runs alone
        return found

    return Lookups(
        reads.overview, reads.open_by_guild, ingest, live, deliveries, trackers, processes=processes
    )
