"""How often one peer may ask over TCP: token buckets, and 429 with ``Retry-After`` where they are empty.

The Unix socket knows no peers and has no such limits: who may open it is this account anyway.
"""

import ipaddress
import math
import time
from collections.abc import Callable
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from engine.api.errors import refusal

PEERS_MAX = 10_000  # told apart at a time; a flood from more addresses than that starts anew
READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Rate(NamedTuple):
    """``burst`` at once, then ``per_s`` each second."""

    burst: int
    per_s: float


class Rates(NamedTuple):
    """What one peer may do. A write waits for its commit, so that one client hardly makes more of them."""

    wrong_tokens: Rate = Rate(burst=10, per_s=0.2)
    writes: Rate = Rate(burst=100, per_s=20.0)


class Buckets:
    """One bucket a peer. A peer is an address, or in IPv6 the 64 bits that one household has."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._full_at: dict[str, float] = {}  # when a peer's bucket will be full again

    def wait_s(self, scope: Scope) -> float:
        """Return how long the peer of a request must wait for its next turn (s); 0.0: it may go on."""
        missing = (self._full_at.get(_peer(scope), 0.0) - self._clock()) * self._rate.per_s
        return round(max(0.0, missing - self._rate.burst + 1) / self._rate.per_s, 6)

    def take(self, scope: Scope) -> None:
        """Count one turn of the peer."""
        peer, now = _peer(scope), self._clock()
        if len(self._full_at) >= PEERS_MAX:
            self._full_at = {it: at for it, at in self._full_at.items() if at > now}
            if len(self._full_at) >= PEERS_MAX:
                self._full_at.clear()
        self._full_at[peer] = max(now, self._full_at.get(peer, now)) + 1 / self._rate.per_s


class WriteRate:
    """Refuses what would change something where its peer asks for too much at a time."""

    def __init__(self, app: ASGIApp, buckets: Buckets) -> None:
        self._app, self._buckets = app, buckets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["method"] in READING:
            await self._app(scope, receive, send)
        elif wait_s := self._buckets.wait_s(scope):
            await refuse(wait_s, "too many changes at a time")(scope, receive, send)
        else:
            self._buckets.take(scope)
            await self._app(scope, receive, send)


def refuse(wait_s: float, what: str) -> ASGIApp:
    """Return the answer that tells when to come again, in whole seconds."""
    seconds = math.ceil(wait_s)
    return refusal(429, f"{what}: try again in {seconds} s", headers={"Retry-After": str(seconds)})


def _peer(scope: Scope) -> str:
    host: str = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
