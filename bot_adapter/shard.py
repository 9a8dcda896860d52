"""Keeps one shard connected, for ever."""

import asyncio
import random
from typing import NoReturn

import structlog
from discord import Client
from discord.errors import ConnectionClosed
from discord.gateway import ReconnectWebSocket
from discord.http import API_VERSION

from bot_adapter.backoff import Backoff
from bot_adapter.gateway import GatewaySocket
from bot_adapter.intake import Intake
from bot_adapter.tasks import run_together

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S = 60.0
SESSION_TIMEOUT_S = 120.0
AWAKE_EVERY_S = 0.25
# Discord allows 1000 IDENTIFYs a day: at this limit a bot that is thrown out each time makes under 1000.
RETRY_BASE_S, RETRY_LIMIT_S = 1.0, 120.0
# A try that never reaches the gateway spends none of them; each second until the next one is not watched.
AWAY_LIMIT_S = 15.0
STABLE_AFTER_S = 120.0
# A session whose RESUMEs come to nothing is given up for a fresh one.
RESUMES_IN_VAIN = 5

BAD_TOKEN = "Discord refused the token: set DISCORD_TOKEN to the bot's token (Developer Portal, page Bot)"  # noqa: S105 - no password
# https://docs.discord.com/developers/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes
FATAL_CLOSES = {
    4004: BAD_TOKEN,
    4010: "Discord refused the shard: correct discord.shard_ids and discord.shard_count",
    4011: "the bot is in too many guilds for one connection: set discord.shard_count",
    4012: "Discord no longer speaks this version of its gateway: update py-cord",
    4013: "Discord does not know one of the intents asked for: update py-cord",
    4014: "Discord refused a privileged intent: enable the Server Members Intent (Developer Portal, page Bot)"
    " or set discord.members_intent = false",
}


class FatalLogin(Exception):  # noqa: N818 - the end of the ingest, not an error inside it
    """Discord will not have us, and trying again cannot help. The text is one line that says what to do."""


class IdentifyPace:
    """Keeps a bot's IDENTIFYs ``interval_s`` apart, over all its shards (Discord: one in five seconds)."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._free_at = 0.0
        self._turn = asyncio.Lock()

    async def wait(self) -> None:
        """Wait for one's turn."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            await asyncio.sleep(self._free_at - loop.time())
            self._free_at = loop.time() + self._interval_s

    async def wait_after_refusal(self) -> None:
        """Wait as Discord asks after INVALID_SESSION: one to five seconds, at random."""
        await asyncio.sleep(self._interval_s * random.uniform(0.2, 1.0))  # noqa: S311 - no secret


class Shard:
    """RESUMEs where it can, IDENTIFYs where it must, and tells its intake which of them came to pass.

    ``shard_id`` is None where the bot is not sharded. ``silence_s``: without any frame for so long the
    connection counts as dead; None derives it from Discord's heartbeat interval.
    """

    def __init__(
        self, intake: Intake, pace: IdentifyPace, shard_id: int | None = None, silence_s: float | None = None
    ) -> None:
        self.intake = intake
        self.shard_id = shard_id
        self.silence_s = silence_s
        self.socket: GatewaySocket | None = None
        self._pace = pace
        self._session_id: str | None = None
        self._sequence: int | None = None
        self._resume_url: str | None = None
        self._reachable = True
        self._doubted = self._has_turn = False
        self._resumes_in_vain = 0
        self._socket_class: type[GatewaySocket] = type("ShardSocket", (GatewaySocket,), {"owner": self})

    async def run(self, client: Client) -> NoReturn:
        """Stay connected until cancelled. Raises ``FatalLogin``."""
        refused, away = Backoff(RETRY_BASE_S, RETRY_LIMIT_S), Backoff(RETRY_BASE_S, AWAY_LIMIT_S)
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self._live(client)
            except Exception as error:  # noqa: BLE001 - no failure of one connection may end the client
                await self._survive(error)
            if loop.time() - began >= STABLE_AFTER_S:
                refused.reset()
            if self._reachable:
                away.reset()
            await asyncio.sleep((refused if self._reachable else away).next_delay_s())

    async def close(self, code: int = 1000) -> None:
        """Close the connection, if there is one."""
        if self.socket is not None:
            await self.socket.close(code)

    async def renew(self, since: int) -> None:
        """Begin a new session, with snapshots: what was journaled after ``since`` may be missing.

        Not before it is our turn to IDENTIFY, and only if there is no new one by then.
        """
        name = self.intake.connection.name
        await self._pace.wait()
        if self.intake.connection.name == name:
            self._doubted = self._has_turn = True
            self.intake.doubt(since)
            await self.close(4000)

    async def _live(self, client: Client) -> None:
        """Connect and read until something raises; whatever was opened is closed again."""
        self.socket = None
        if self._doubted:
            self._forget()
        if self._session_id is None and not self._has_turn:
            await self._pace.wait()
        self._doubted = self._has_turn = False
        code = 4000  # any code but 1000 and 1001 keeps the session for a RESUME
        try:
            # Not wait_for, which in Python 3.11 may swallow the cancellation that stops us.
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                socket = await self._open(client)
            if self._doubted:  # meanwhile
                raise TimeoutError("a new session is wanted")
            await run_together([_read(socket), self._watch(socket), _stay_awake(socket)])
        except asyncio.CancelledError:
            self.intake.connection.lose(self.intake.clock.now())
            code = 1000  # for good: Discord shows the bot as offline at once
            raise
        finally:
            await self.close(code)

    async def _open(self, client: Client) -> GatewaySocket:
        return await self._socket_class.from_client(
            client,
            gateway=self._resume_address() if self._reachable else None,
            shard_id=self.shard_id,
            session=self._session_id,
            sequence=self._sequence,
            resume=self._session_id is not None,
        )

    async def _watch(self, socket: GatewaySocket) -> NoReturn:
        """Raise TimeoutError once the connection is silent for too long, or a session does not come about."""
        clock, opened_at = self.intake.clock, self.intake.clock.now()
        while True:
            silent_s = (clock.now() - socket.frame_at) / 1000
            if silent_s >= socket.silence_s:
                raise TimeoutError(f"no frame for {silent_s:.1f} s")
            if not self.intake.connection.connected and clock.now() - opened_at >= SESSION_TIMEOUT_S * 1000:
                raise TimeoutError("no answer to IDENTIFY or RESUME")
            await asyncio.sleep(min(socket.silence_s - silent_s, SESSION_TIMEOUT_S))

    def _resume_address(self) -> str | None:
        """Return where Discord wants the RESUME, or None: py-cord then asks Discord for an address."""
        if self._resume_url is None:
            return None
        return f"{self._resume_url}?encoding=json&v={API_VERSION}&compress=zlib-stream"

    async def _survive(self, error: Exception) -> None:
        """Note the loss and what can be resumed. Raises ``FatalLogin`` where going on is no use."""
        reason = _reason(error, self.socket)
        self._reachable = self.socket is not None
        if self.socket is None:
            log.warning("gateway_unreachable", shard_id=self.shard_id or 0, reason=reason)
            return
        self._remember(self.socket)
        self.intake.lost(self._lost_at(self.socket), reason)
        if isinstance(error, ConnectionClosed) and error.code in FATAL_CLOSES:
            raise FatalLogin(FATAL_CLOSES[error.code]) from error
        if isinstance(error, ReconnectWebSocket) and not error.resume:
            self._forget()
            await self._pace.wait_after_refusal()

    def _lost_at(self, socket: GatewaySocket) -> int:
        # Of a stream that was cut, or that we left, only what was read is certain.
        return self.intake.clock.now() if socket.closed_by_peer else socket.frame_at

    def _remember(self, socket: GatewaySocket) -> None:
        self._session_id, self._sequence = socket.session_id, socket.sequence
        # A socket that RESUMEd was not told the address again.
        self._resume_url = socket.resume_gateway_url or self._resume_url
        self._resumes_in_vain = 0 if self.intake.connection.connected else self._resumes_in_vain + 1
        if self._resumes_in_vain >= RESUMES_IN_VAIN:
            self._forget()

    def _forget(self) -> None:
        self._session_id = self._sequence = self._resume_url = None
        self._resumes_in_vain = 0


def _reason(error: Exception, socket: GatewaySocket | None) -> str:
    if isinstance(error, ReconnectWebSocket) and socket is not None:  # has no text of its own
        ended = f"the connection ended (close code {socket.socket.close_code})"
        return ended if error.resume else "Discord wants a new session"
    return f"{type(error).__name__}: {error}".rstrip(": ")[:300]


async def _stay_awake(socket: GatewaySocket) -> NoReturn:
    while True:
        await socket.keep_awake()
        await asyncio.sleep(AWAKE_EVERY_S)


async def _read(socket: GatewaySocket) -> NoReturn:
    while True:
        await socket.poll_event()
