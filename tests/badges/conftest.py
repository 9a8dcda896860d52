import asyncio
import hashlib
import hmac
import json
from collections import deque
from types import SimpleNamespace

import pytest
from aiohttp import web

from engine.badges import deliverer, webhook
from engine.badges.deliverer import Deliverer
from engine.badges.delivery import DeliveryStats
from engine.storage.deliveries import SqlDeliveries
from tests.badges.awards import Book, T
from tests.waiting import until_async

SECRET = "a secret of the receiver's"


@pytest.fixture
def book(tmp_path):
    book = Book(tmp_path / "rollcall.db")
    yield book
    book.close()


@pytest.fixture
def until():
    """Wait for something to become true, and return it; other coroutines go on meanwhile."""
    return until_async


class Receiver:
    """Somebody's web server. It answers as told, and checks each signature as its author would.

    ``answers``: for the next requests, a response's status and more, or ``"drop"``, or ``"hang"``; then 204.
    """

    def __init__(self):
        self.requests = []
        self.answers = deque()
        self.gate = asyncio.Event()
        self.gate.set()
        self.within = self.most_within = 0
        self.url = ""

    def badges(self):
        return [it.badge["badgeId"] for it in self.requests]

    async def handle(self, request):
        body = await request.read()
        headers = request.headers
        self.requests.append(
            SimpleNamespace(headers=headers, body=body, badge=json.loads(body), path=request.path)
        )
        signed = f"{headers['X-Rollcall-Timestamp']}.{body.decode()}"
        expected = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).hexdigest()
        if headers["X-Rollcall-Signature"] != f"sha256={expected}":
            return web.Response(status=401, text="the signature is wrong")
        self.within += 1
        self.most_within = max(self.most_within, self.within)
        try:
            await self.gate.wait()
            return await self._answer(request)
        finally:
            self.within -= 1

    async def _answer(self, request):
        answer = self.answers.popleft() if self.answers else {"status": 204}
        if answer == "drop":
            request.transport.abort()
        if answer == "hang":
            await asyncio.Event().wait()
        return web.Response(**answer) if isinstance(answer, dict) else web.Response()


@pytest.fixture
async def receiver():
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/badges"
    yield receiver
    receiver.gate.set()
    await runner.cleanup()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(webhook, "RETRY_BASE_S", 0.01)
    monkeypatch.setattr(webhook, "RETRY_LIMIT_S", 0.05)
    monkeypatch.setattr(deliverer, "SOON_S", 0.01)


@pytest.fixture
def started():
    """Start deliverers; in the end each is stopped, with its thread."""
    running = []

    def started(it):
        running.append(it)
        it.start()
        return it

    yield started
    for it in running:
        it.stop()
        assert not it._thread.is_alive()


@pytest.fixture
def start(book, started):
    """Start a deliverer on the book; ``make`` gets the stats and gives the distributors by kind."""

    def start(make, deliveries=None):
        stats = DeliveryStats()
        deliveries = deliveries or SqlDeliveries(book.path)
        return started(Deliverer(deliveries, book, lambda: T, make(stats), stats))

    return start
