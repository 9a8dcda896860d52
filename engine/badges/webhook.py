"""Signed requests to somebody's web server, each until it is taken, refused, or given up."""

import asyncio
import email.utils
import hashlib
import hmac
import json
import random
import re
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Any, NamedTuple

import aiohttp

from engine.badges.delivery import DeliveryStats, Outcome, Settle, Trouble
from engine.domain.deliveries import Badge, Item
from engine.domain.views import iso

AT_ONCE = 4
TIMEOUT_S = 10.0
RETRY_BASE_S, RETRY_LIMIT_S = 1.0, 300.0
RETRY_AFTER_MAX_S = 3600.0
# Then it stays in the ledger as failed. A restart begins anew.
GIVE_UP_AFTER_S = 24 * 3600.0
# Besides 5xx, answers that a later try may change. A redirect is not followed, since what was signed for one
# server is for no other; it stays until somebody corrects the address.
TRANSIENT_STATUSES = {408, 429, *range(300, 400)}
_EXCERPT_BYTES = 200


class Answer(NamedTuple):
    """How a try ended. ``outcome`` is None where another may help, ``after_s`` from now at the earliest."""

    outcome: Outcome | None
    reason: str = ""
    after_s: float = 0.0


class Webhook:
    """A distributor of items that ``encode`` makes a request's body of, the same bytes at each try.

    The address may hold a password, so it is never told, nor is the secret. ``now``: ms UTC.
    """

    def __init__(
        self,
        url: str,
        secret: str,
        now: Callable[[], int],
        stats: DeliveryStats,
        encode: Callable[[Any], bytes] | None = None,
    ) -> None:
        if not secret:
            raise ValueError("a webhook without a secret would prove nothing to its receiver")
        self._encode: Callable[[Any], bytes] = encode or encoded
        self._url, self._secret = url, secret
        self._now = now
        self._stats = stats
        self._trouble = Trouble(stats, "receiver")
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    def take(self, items: Sequence[Item], settle: Settle) -> None:
        """Begin to send the items."""
        session = self._session = self._session or _session()
        for item in items:
            task = asyncio.create_task(self._deliver(session, item, settle))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Leave off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _deliver(self, session: aiohttp.ClientSession, item: Item, settle: Settle) -> None:
        """Try until the receiver has said yes or no, or for ``GIVE_UP_AFTER_S``."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + GIVE_UP_AFTER_S
        tries = 0
        while True:
            answer = await self._try(session, item)
            tries += 1
            if answer.outcome is None and loop.time() >= give_up_at:
                answer = Answer(Outcome(ok=False, detail=f"gave up after {tries} tries: {answer.reason}"))
            if answer.outcome is not None:
                settle(item.outbox_id, answer.outcome)
                return
            self._stats.retries += 1
            await asyncio.sleep(max(_delay_s(tries), answer.after_s))

    async def _try(self, session: aiohttp.ClientSession, item: Item) -> Answer:
        async with self._turns:
            try:
                answer = await self._post(session, item)
            except Exception as error:  # noqa: BLE001 - the network, TLS, what the receiver sent: all may pass
                answer = Answer(None, _told(error))
        answer = answer._replace(reason=self._without_secret(answer.reason))
        self._trouble.note(answer.reason if answer.outcome is None else "")
        return answer

    async def _post(self, session: aiohttp.ClientSession, item: Item) -> Answer:
        body = self._encode(item)
        headers = self._headers(item.outbox_id, body)
        async with session.post(self._url, data=body, headers=headers, allow_redirects=False) as response:
            if 200 <= response.status < 300:
                return Answer(Outcome(ok=True))
            excerpt = await _excerpt(response)
            reason = self._without_secret(f"{response.status} {response.reason}: {excerpt}".rstrip(": "))
            if response.status < 500 and response.status not in TRANSIENT_STATUSES:
                return Answer(Outcome(ok=False, detail=reason))
            after_s = retry_after_s(response.headers.get("Retry-After", ""), self._now())
            return Answer(None, reason, after_s)

    def _headers(self, outbox_id: str, body: bytes) -> dict[str, str]:
        timestamp = str(self._now() // 1000)
        return {
            "Content-Type": "application/json",
            "Idempotency-Key": outbox_id,
            "X-Rollcall-Timestamp": timestamp,
            "X-Rollcall-Signature": f"sha256={signature(self._secret, timestamp, body)}",
        }

    def _without_secret(self, text: str) -> str:
        return text.replace(self._secret, "***").replace(self._url, "***")


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return what the receiver computes too: the HMAC-SHA256 of ``timestamp.body``, in hex.

    ``timestamp``: the header as it came, seconds UTC; who refuses old ones is safe from replays.
    """
    signed = timestamp.encode() + b"." + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def encoded(badge: Badge) -> bytes:
    """Return a badge as JSON: the same bytes at each try."""
    document = {
        "badgeId": badge.badge_id,
        "eventId": str(badge.event_id),
        "eventName": badge.event_name,
        "guildId": str(badge.guild_id),
        "userId": str(badge.user_id),
        "awardedAt": iso(badge.awarded_at),
    }
    return as_json(document)


def as_json(document: dict[str, Any]) -> bytes:
    """Return a document as a request's body."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def retry_after_s(value: str, now: int) -> float:
    """Return how long a ``Retry-After`` (RFC 9110, 10.2.3) asks us to wait, 1 h at most."""
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", value):
        return min(float(value), RETRY_AFTER_MAX_S)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    wait_s = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now / 1000
    return min(max(wait_s, 0.0), RETRY_AFTER_MAX_S)


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=AT_ONCE),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        headers={"User-Agent": "Rollcall", "Accept-Encoding": "identity"},
        auto_decompress=False,
    )


def _delay_s(tries: int) -> float:
    """Twice as long each time, cut at random by up to a half, so that many do not come back in step."""
    whole = min(RETRY_LIMIT_S, RETRY_BASE_S * 2.0 ** min(tries - 1, 32))
    return whole * (1 - random.random() / 2)  # noqa: S311 - no secret


async def _excerpt(response: aiohttp.ClientResponse) -> str:
    """Return the beginning of what the receiver says, on one line."""
    try:
        text = (await response.content.read(_EXCERPT_BYTES)).decode(errors="replace")
    except (aiohttp.ClientError, TimeoutError, OSError):
        return ""
    return " ".join("".join(it if it.isprintable() else " " for it in text).split())


def _told(error: Exception) -> str:
    """Say what went wrong, without the address."""
    name = type(error).__name__
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{name}: {error.message}"
    if isinstance(error, aiohttp.InvalidURL) or not str(error):
        return name
    return f"{name}: {error}"[:300]
