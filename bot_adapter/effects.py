"""How each effect upon Discord is done by py-cord's HTTP, and what Discord's answer to it means."""

import hashlib
import re
from typing import Protocol

import discord
from discord.http import HTTPClient, Route

from engine.domain.effects import GrantRole, PostMessage, ToDiscord

RETRY_AFTER_MAX_S = 60.0
# Answers that a later try may change: a token under rotation, a timeout, too many requests.
TRANSIENT_STATUSES = {401, 408, 429}


class Client(Protocol):
    """What of py-cord's client the effects need."""

    @property
    def http(self) -> HTTPClient:
        """Return its REST side."""
        ...

    async def leave_voice(self, guild_id: int) -> None:
        """Leave a guild's voice. Raises ``discord.ClientException`` while its shard is not connected."""
        ...


async def do(client: Client, effect: ToDiscord) -> None:
    """Do it. Doing it twice is harmless: for a message by its nonce. Raises what py-cord raises."""
    if isinstance(effect, PostMessage):
        await _post(client.http, effect)
    elif isinstance(effect, GrantRole):
        await _grant(client.http, effect)
    else:
        await client.leave_voice(effect.guild_id)


async def _post(http: HTTPClient, effect: PostMessage) -> None:
    message = {
        "content": effect.content,
        "nonce": nonce(effect.outbox_id),
        "enforce_nonce": True,
        "allowed_mentions": {"parse": []},  # a name in a log line calls nobody
    }
    route = Route("POST", "/channels/{channel_id}/messages", channel_id=effect.channel_id)
    await http.request(route, json=message)


async def _grant(http: HTTPClient, effect: GrantRole) -> None:
    reason = f"Rollcall: earned by attendance ({effect.outbox_id})"
    await http.add_role(effect.guild_id, effect.user_id, effect.role_id, reason=reason)


def nonce(outbox_id: str) -> str:
    """Return the message nonce of an effect: the same each time, at most Discord's 25 characters."""
    return hashlib.blake2b(outbox_id.encode(), digest_size=12).hexdigest()


def refusal(error: Exception) -> str:
    """Return Discord's reason if it refused for good, else nothing."""
    if not isinstance(error, discord.HTTPException):
        return ""
    if error.status >= 500 or error.status in TRANSIENT_STATUSES:
        return ""
    return re.sub(r"\s+", " ", str(error))[:300]


def retry_after_s(error: Exception) -> float:
    """Return how long a 429 asks us to wait (py-cord itself waits only if a Via header is there)."""
    response = getattr(error, "response", None)
    value = response.headers.get("Retry-After", "") if response is not None else ""
    return min(float(value), RETRY_AFTER_MAX_S) if re.fullmatch(r"\d+(\.\d+)?", value) else 0.0
