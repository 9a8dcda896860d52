"""The deliverer of badges, as the configuration wants it."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

from engine.badges.csv_file import CsvFile
from engine.badges.deliverer import Deliverer
from engine.badges.delivery import DeliveryStats, Distributor
from engine.badges.webhook import Webhook
from engine.daemon.clock import now
from engine.storage.deliveries import SqlDeliveries

if TYPE_CHECKING:
    from engine.actors.engine import Engine
    from engine.config import Config
    from engine.storage.writer import JournalWriter


def start_badges(
    config: "Config", engine: "Engine", journal: "JournalWriter", stack: ExitStack
) -> DeliveryStats:
    """Start delivering, and be woken whenever badges are awarded. Returns what is told of it."""
    stats = DeliveryStats()
    distributors: dict[str, Distributor] = {"csv": CsvFile(config.badge_file)}
    if config.webhook_secret is not None and config.events.webhook_url:
        secret = config.webhook_secret.get_secret_value()
        distributors["webhook"] = Webhook(config.events.webhook_url, secret, now, stats)
    deliverer = Deliverer(SqlDeliveries(config.database), journal, now, distributors, stats)
    engine.aftermath.badges_awarded = deliverer.wake
    deliverer.start()
    stack.callback(deliverer.stop)
    return stats
