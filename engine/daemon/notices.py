"""The deliverer of notices that players have expired, as the configuration wants it."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

from engine.badges.deliverer import Deliverer
from engine.badges.delivery import DeliveryStats
from engine.badges.notices import Notices, encoded
from engine.badges.webhook import Webhook
from engine.daemon.clock import now
from engine.domain.deliveries import NOTICE
from engine.storage.deliveries import SqlDeliveries

if TYPE_CHECKING:
    from engine.actors.engine import Engine
    from engine.config import Config
    from engine.storage.writer import JournalWriter


def start_notices(
    config: "Config", engine: "Engine", journal: "JournalWriter", stack: ExitStack
) -> DeliveryStats:
    """Start delivering where notices are wanted, or some are left. Returns what is told of it."""
    stats, deliveries = DeliveryStats(of="notices"), SqlDeliveries(config.database)
    if config.trackers.on_expiry != "notify" and not deliveries.count(NOTICE):
        return stats
    notices = Notices(_webhook(config, stats))
    deliverer = Deliverer(deliveries, journal, now, {NOTICE: notices}, stats, (NOTICE,))
    engine.aftermath.expiries_noted = deliverer.wake
    deliverer.start()
    stack.callback(deliverer.stop)
    return stats


def _webhook(config: "Config", stats: DeliveryStats) -> Webhook | None:
    url, secret = config.trackers.webhook_url, config.notice_secret
    return Webhook(url, secret.get_secret_value(), now, stats, encoded) if url and secret else None
