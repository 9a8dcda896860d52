"""Notices of expired players from a real ledger, to the log and to a web server, and their outcomes back."""

import pytest
from structlog.testing import capture_logs

from engine.badges.deliverer import Deliverer
from engine.badges.delivery import DeliveryStats
from engine.badges.notices import Notices, encoded
from engine.badges.webhook import Webhook
from engine.domain.deliveries import NOTICE
from engine.domain.tracker_effects import NotifyExpiry
from engine.storage.deliveries import SqlDeliveries
from tests.badges.awards import GUILD, T
from tests.badges.conftest import SECRET

EXPIRED = NotifyExpiry("expiry-1", GUILD, 8, T - 60_000, T, "its deadline has passed")


@pytest.fixture
def start(book, started):
    """Start a deliverer of notices, with a webhook to ``url`` if one is given."""

    def start(url=None):
        stats = DeliveryStats(of="notices")
        webhook = url and Webhook(url, SECRET, lambda: T, stats, encoded)
        notices = {NOTICE: Notices(webhook)}
        return started(Deliverer(SqlDeliveries(book.path), book, lambda: T, notices, stats, (NOTICE,)))

    return start


async def test_an_expiry_is_one_line_in_the_log_and_then_settled(start, book, until):
    book.write(EXPIRED)
    with capture_logs() as logs:
        start()
        await until(lambda: book.told)
    (line,) = [it for it in logs if it["event"] == "player_expired"]
    assert (line["notice_id"], line["guild_id"], line["channel_id"]) == ("expiry-1", GUILD, 8)
    assert (line["expired_at"], line["cause"]) == ("2023-11-14T22:13:20.000Z", EXPIRED.cause)
    assert book.outcomes() == {"expiry-1": (True, "")}
    book.commit()
    assert SqlDeliveries(book.path).pending(NOTICE, 10) == []


async def test_an_expiry_is_posted_signed_under_its_id(start, book, receiver, until):
    book.write(EXPIRED)
    receiver.answers.append({"status": 500})
    it = start(receiver.url)
    await until(lambda: book.told)
    refused, taken = receiver.requests
    assert refused.body == taken.body
    assert taken.headers["Idempotency-Key"] == "expiry-1"
    assert taken.badge == {
        "noticeId": "expiry-1",
        "kind": "player_expired",
        "guildId": str(GUILD),
        "channelId": "8",
        "since": "2023-11-14T22:12:20.000Z",
        "expiredAt": "2023-11-14T22:13:20.000Z",
        "cause": "its deadline has passed",
    }
    assert (it.stats.delivered, it.stats.retries, it.stats.failed) == (1, 1, 0)


async def test_one_whose_outcome_was_lost_is_told_again_under_the_same_id(start, book, receiver, until):
    book.write(EXPIRED)
    first = start(receiver.url)
    await until(lambda: book.told)
    first.stop()  # what it told the journal never took effect
    book.lose_what_was_told()
    start(receiver.url)
    await until(lambda: len(book.told) == 2)
    assert {it.headers["Idempotency-Key"] for it in receiver.requests} == {"expiry-1"}
    assert len(receiver.requests) == 2
    book.commit()
    assert SqlDeliveries(book.path).count(NOTICE) == 0


async def test_one_that_is_refused_for_good_is_kept_with_its_reason(start, book, receiver, until):
    book.write(EXPIRED)
    receiver.answers.append({"status": 404, "text": "no such bot"})
    start(receiver.url)
    await until(lambda: book.told)
    assert book.outcomes() == {"expiry-1": (False, "404 Not Found: no such bot")}


async def test_notices_and_badges_do_not_take_each_others(start, book, until):
    book.award(5)
    book.write(EXPIRED)
    it = start()
    await until(lambda: book.told)
    assert list(it.stats.waiting) == [NOTICE]
    assert [told.outbox_id for told in book.told] == ["expiry-1"]
    assert [it.outbox_id for it in SqlDeliveries(book.path).pending("csv", 10)] == ["badge-1-5"]
