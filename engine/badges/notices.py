"""Notices that a player has expired: a line in the log, and a signed request where one is wanted."""

from collections.abc import Sequence

import structlog

from engine.badges.delivery import Outcome, Settle
from engine.badges.webhook import Webhook, as_json
from engine.domain.tracker_effects import NotifyExpiry
from engine.domain.views import iso

log = structlog.get_logger(__name__)


class Notices:
    """A distributor: logs each notice, and has it sent by ``webhook`` if there is one.

    A notice whose outcome is lost with a crash is told again, under the same ``notice_id``.
    """

    def __init__(self, webhook: Webhook | None = None) -> None:
        self._webhook = webhook

    def take(self, notices: Sequence[NotifyExpiry], settle: Settle) -> None:
        """Log the notices, and begin to send them."""
        if self._webhook is not None:
            self._webhook.take(notices, settle)
        for it in notices:
            _write(it)
            if self._webhook is None:
                settle(it.outbox_id, Outcome(ok=True))

    async def close(self) -> None:
        """Leave off."""
        if self._webhook is not None:
            await self._webhook.close()


def _write(it: NotifyExpiry) -> None:
    log.info(
        "player_expired",
        notice_id=it.outbox_id,
        guild_id=it.guild_id,
        channel_id=it.channel_id,
        since=iso(it.since),
        expired_at=iso(it.at),
        cause=it.cause,
    )


def encoded(it: NotifyExpiry) -> bytes:
    """Return a notice as JSON: ``noticeId kind guildId channelId since expiredAt cause``."""
    document = {
        "noticeId": it.outbox_id,
        "kind": "player_expired",
        "guildId": str(it.guild_id),
        "channelId": str(it.channel_id),
        "since": iso(it.since),
        "expiredAt": iso(it.at),
        "cause": it.cause,
    }
    return as_json(document)
