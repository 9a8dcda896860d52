"""Badges to a web server on loopback, which checks each signature."""

import socket

import pytest
from structlog.testing import capture_logs

from engine.badges import webhook
from engine.badges.delivery import DeliveryStats
from engine.badges.webhook import Webhook, retry_after_s
from tests.badges.awards import GUILD, T
from tests.badges.conftest import SECRET


@pytest.fixture
def send(start, receiver):
    """Start a deliverer to the receiver."""

    def send(url=None, secret=SECRET):
        return start(lambda stats: {"webhook": Webhook(url or receiver.url, secret, lambda: T, stats)})

    return send


@pytest.fixture
def book(book):
    book.distributor = "webhook"
    return book


async def test_a_badge_is_posted_signed_and_its_outcome_told(send, book, receiver, until):
    book.award(5, name='Night "watch", für alle')
    it = send()
    await until(lambda: book.told)
    (request,) = receiver.requests
    assert request.badge == {
        "badgeId": "badge-1-5",
        "eventId": "1",
        "eventName": 'Night "watch", für alle',
        "guildId": str(GUILD),
        "userId": "5",
        "awardedAt": "2023-11-14T22:13:20.000Z",
    }
    assert request.path == "/badges"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Idempotency-Key"] == "badge-1-5"
    assert request.headers["X-Rollcall-Timestamp"] == str(T // 1000)
    (outcome,) = book.told
    assert (outcome.at, outcome.guild_id, outcome.outbox_id, outcome.ok) == (T, GUILD, "badge-1-5", True)
    assert (it.stats.delivered, it.stats.failed, it.stats.retries) == (1, 0, 0)


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 500, "text": "oops"},
        {"status": 503, "headers": {"Retry-After": "0"}},
        {"status": 429, "headers": {"Retry-After": "Tue, 14 Nov 2023 22:13:20 GMT"}},
        {"status": 429, "headers": {"Retry-After": "soon"}},
        {"status": 408},
        "drop",
    ],
    ids=str,
)
async def test_what_passes_is_tried_again_under_the_same_key(send, book, receiver, until, answer):
    receiver.answers.extend([answer] * 3)
    book.award(5)
    it = send()
    await until(lambda: book.told)
    assert [it.ok for it in book.told] == [True]
    assert len(receiver.requests) == 4
    assert {(it.headers["Idempotency-Key"], it.body) for it in receiver.requests} == {
        ("badge-1-5", receiver.requests[0].body)
    }
    assert it.stats.retries == 3


async def test_a_receiver_that_never_answers_is_left_and_tried_again(
    send, book, receiver, until, monkeypatch
):
    monkeypatch.setattr(webhook, "TIMEOUT_S", 0.1)
    receiver.answers.append("hang")
    book.award(5)
    send()
    await until(lambda: book.told)
    assert book.outcomes() == {"badge-1-5": (True, "")}
    assert len(receiver.requests) == 2


async def test_a_server_that_is_down_is_asked_until_it_is_there(send, book, receiver, until):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        book.award(5)
        it = send(url=f"http://127.0.0.1:{nobody.getsockname()[1]}/")
        await until(lambda: it.stats.retries >= 2)
    assert it.stats.pending == 1
    assert "Cannot connect" in it.stats.troubles["receiver"]
    assert not book.told


async def test_a_redirect_is_not_followed(send, book, receiver, until):
    receiver.answers.append({"status": 307, "headers": {"Location": f"{receiver.url}/elsewhere"}})
    book.award(5)
    send()
    await until(lambda: book.told)
    assert [it.path for it in receiver.requests] == ["/badges", "/badges"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422])
async def test_a_refusal_is_final_and_kept_with_the_receivers_words(send, book, receiver, until, status):
    receiver.answers.append({"status": status, "text": f"no such\nmember, {SECRET} \x1b[2J" + "x" * 10_000})
    book.award(5, 6)
    it = send()
    await until(lambda: len(book.told) == 2)
    ok, detail = book.outcomes()[receiver.badges()[0]]
    assert not ok
    assert detail.startswith(f"{status} ")
    assert "no such member, ***" in detail
    assert detail.isprintable()
    assert len(detail) < 300
    assert (it.stats.delivered, it.stats.failed, it.stats.retries) == (1, 1, 0)


async def test_what_is_refused_stays_in_the_ledger_as_failed(send, book, receiver, until):
    receiver.answers.append({"status": 404, "text": "no such member"})
    book.award(5)
    it = send()
    await until(lambda: book.told)
    book.commit()
    (failed,) = it._deliveries.failed(10)
    assert (failed.badge.badge_id, failed.detail) == ("badge-1-5", "404 Not Found: no such member")
    assert it._deliveries.pending("webhook", 10) == []


async def test_a_receiver_with_another_secret_refuses(send, book, until):
    book.award(5)
    send(secret="not that")
    await until(lambda: book.told)
    assert book.outcomes() == {"badge-1-5": (False, "401 Unauthorized: the signature is wrong")}


async def test_what_fails_for_too_long_is_given_up(send, book, receiver, until, monkeypatch):
    monkeypatch.setattr(webhook, "GIVE_UP_AFTER_S", 0.1)
    receiver.answers.extend([{"status": 500, "text": "always"}] * 1_000)
    book.award(5)
    send()
    await until(lambda: book.told)
    ok, detail = book.outcomes()["badge-1-5"]
    assert not ok
    assert detail == f"gave up after {len(receiver.requests)} tries: 500 Internal Server Error: always"


async def test_one_that_never_succeeds_holds_up_no_other(send, book, receiver, until, monkeypatch):
    monkeypatch.setattr(webhook, "RETRY_BASE_S", 3600.0)
    monkeypatch.setattr(webhook, "RETRY_LIMIT_S", 3600.0)
    receiver.answers.extend([{"status": 500}] * 5)
    book.award(*range(50))
    it = send()
    await until(lambda: len(book.told) == 45)
    assert it.stats.delivered == 45


async def test_a_receiver_that_asks_for_time_gets_it(send, book, receiver, until):
    receiver.answers.append({"status": 429, "headers": {"Retry-After": "3600"}})
    book.award(5)
    it = send()
    await until(lambda: it.stats.retries == 1)
    receiver.answers.extend([{"status": 500}] * 20)
    book.award(6, event_id=2)
    it.wake()
    await until(lambda: book.told)
    assert receiver.badges() == ["badge-1-5", *["badge-2-6"] * 21]


async def test_no_more_than_a_few_requests_are_under_way(send, book, receiver, until):
    receiver.gate.clear()
    book.award(*range(20))
    send()
    await until(lambda: receiver.within == webhook.AT_ONCE)
    receiver.gate.set()
    await until(lambda: len(book.told) == 20)
    assert receiver.most_within == webhook.AT_ONCE
    assert sorted(receiver.badges()) == sorted(f"badge-1-{it}" for it in range(20))


async def test_a_restart_before_the_outcome_sends_it_again_under_the_same_key(send, book, receiver, until):
    receiver.gate.clear()
    book.award(5)
    first = send()
    await until(lambda: receiver.requests)
    first.stop()
    receiver.gate.set()
    send()
    await until(lambda: book.told)
    assert receiver.badges() == ["badge-1-5", "badge-1-5"]
    assert len({it.headers["Idempotency-Key"] for it in receiver.requests}) == 1
    assert [it.ok for it in book.told] == [True]


async def test_an_outage_is_told_once_when_it_comes_and_once_when_it_has_passed(send, book, receiver, until):
    receiver.answers.extend([{"status": 500, "text": SECRET}] * 12)
    book.award(*range(4))
    with capture_logs() as logs:
        it = send(url=receiver.url.replace("://", "://user:pass-word@"))
        await until(lambda: len(book.told) == 4)
        it.stop()
    assert [line["event"] for line in logs] == ["deliveries_in_trouble", "deliveries_out_of_trouble"]
    assert "500 Internal Server Error" in logs[0]["reason"]
    assert SECRET not in str(logs)
    assert "pass-word" not in str(logs)


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/token-in-path", "http://a b/token-in-path"])
async def test_an_address_that_is_none_is_trouble_and_not_told(send, book, until, url):
    book.award(5)
    it = send(url=url)
    await until(lambda: it.stats.retries)
    assert "token-in-path" not in str(it.stats.troubles)
    assert not book.told


def test_without_a_secret_there_is_no_webhook():
    with pytest.raises(ValueError, match="secret"):
        Webhook("http://127.0.0.1/", "", lambda: T, DeliveryStats())


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        ("", 0),
        ("7", 7),
        ("1.5", 1.5),
        ("999999", 3600),
        ("-5", 0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30),
        ("Tue, 14 Nov 2023 22:13:50 -0000", 30),
        ("Tue, 14 Nov 2023 20:00:00 GMT", 0),
        ("Tue, 14 Nov 2033 20:00:00 GMT", 3600),
        ("Tue, 99 Nov 2023 20:00:00 GMT", 0),
        ("nan", 0),
        ("\u0667", 0),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(value, wait_s):
    assert retry_after_s(value, T) == wait_s
