"""One websocket connection of a client: opcodes, heartbeats, compression, close codes."""

import asyncio
import time
import zlib
from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec
import structlog
from aiohttp import WSMsgType, web

from bot_adapter.simulator.payloads import Json
from bot_adapter.simulator.sessions import Session
from bot_adapter.simulator.structure import WorldError

if TYPE_CHECKING:
    from bot_adapter.simulator.gateway import Gateway

log = structlog.get_logger(__name__)

# https://docs.discord.com/developers/events/gateway#rate-limiting and #sending-events
MAX_PAYLOAD = 4096
SENDS_PER_MINUTE = 120


class CloseCode(IntEnum):
    """https://docs.discord.com/developers/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes."""

    UNKNOWN_ERROR = 4000
    UNKNOWN_OPCODE = 4001
    DECODE_ERROR = 4002
    NOT_AUTHENTICATED = 4003
    AUTHENTICATION_FAILED = 4004
    ALREADY_AUTHENTICATED = 4005
    INVALID_SEQ = 4007
    RATE_LIMITED = 4008
    SESSION_TIMED_OUT = 4009
    INVALID_SHARD = 4010
    INVALID_API_VERSION = 4012
    INVALID_INTENTS = 4013
    DISALLOWED_INTENTS = 4014


class Refusal(Exception):  # noqa: N818 - it is the gateway's answer, not an error of ours
    """Ends a connection with a close code."""

    def __init__(self, code: CloseCode) -> None:
        super().__init__(code.name)
        self.code = code


class Packer:
    """The zlib-stream of one connection.

    Each message ends with a full flush, so that none refers to bytes of an earlier one. That lets a burst
    that was compressed beforehand (`burst`) stand between any two messages.
    """

    def __init__(self) -> None:
        self._stream = zlib.compressobj()

    def pack(self, payload: bytes) -> bytes:
        return self._stream.compress(payload) + self._stream.flush(zlib.Z_FULL_FLUSH)


class Connection:
    """A client's websocket. `send` and `close` only queue; one task writes, so that order is kept."""

    def __init__(self, gateway: "Gateway", ws: web.WebSocketResponse, request: web.Request) -> None:
        self.session: Session | None = None
        self.compressed = request.query.get("compress") == "zlib-stream"
        self._gateway = gateway
        self._ws = ws
        self._transport = request.transport
        self._version = request.query.get("v", "10")
        self._outgoing: asyncio.Queue[bytes | int] = asyncio.Queue()
        self._packer = Packer()
        self._window: tuple[float, int] = (time.monotonic(), 0)
        self._opcodes = {
            1: self._beat,
            2: self._identify,
            3: self._ignore,
            4: self._change_voice,
            6: self._resume,
            8: self._request_members,
        }

    def send(self, payload: bytes) -> None:
        self._outgoing.put_nowait(payload)

    def send_op(self, op: int, data: object) -> None:
        self.send(msgspec.json.encode({"t": None, "s": None, "op": op, "d": data}))

    def close(self, code: int) -> None:
        """Close once everything queued so far is written."""
        self._outgoing.put_nowait(code)

    def abort(self) -> None:
        """Cut the line, as a network that fails: the client sees no close frame."""
        if self._transport is not None:
            self._transport.abort()

    def write_encoded(self, frames: bytes) -> int:
        """Write websocket frames as they are, and return how many bytes wait in the buffer."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError
        self._transport.write(frames)
        return self._transport.get_write_buffer_size()

    async def run(self) -> None:
        """Speak the protocol until either side ends it."""
        reading = asyncio.create_task(self._read())
        writing = asyncio.create_task(self._write(reading))
        try:
            await asyncio.wait({reading})
        finally:
            reading.cancel()
            if self.session is not None:
                self.session.detach(self)
            self.close(_close_code(reading))
            await writing

    @property
    def _heartbeat_ms(self) -> int:
        return self._gateway.options.heartbeat_interval_ms

    async def _write(self, reading: asyncio.Task[None]) -> None:
        kind = WSMsgType.BINARY if self.compressed else WSMsgType.TEXT
        while not isinstance(item := await self._outgoing.get(), int):
            try:
                await self._ws.send_frame(self._packer.pack(item) if self.compressed else item, kind)
            except ConnectionError:
                return
        # Were the reader still waiting, aiohttp would hang up without waiting for the client's close frame,
        # and the client might never see the code.
        reading.cancel()
        await asyncio.wait({reading})
        await self._ws.close(code=item)

    async def _read(self) -> None:
        if self._version != "10":
            raise Refusal(CloseCode.INVALID_API_VERSION)
        self.send_op(10, {"heartbeat_interval": self._heartbeat_ms, "_trace": ["simulator"]})
        silence_s = 2 * self._heartbeat_ms / 1000
        while True:
            try:
                message = await self._ws.receive(timeout=silence_s)
            except TimeoutError:
                raise Refusal(CloseCode.SESSION_TIMED_OUT) from None
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return
            self._take(message.data)

    def _take(self, raw: str | bytes) -> None:
        self._count_send()
        op, data = _decode(raw)
        handle = self._opcodes.get(op)
        if handle is None:
            raise Refusal(CloseCode.UNKNOWN_OPCODE)
        if op != 1 and not isinstance(data, dict):
            raise Refusal(CloseCode.DECODE_ERROR)
        try:
            handle(data)
        except WorldError as error:
            log.info("gateway_command_ignored", op=op, reason=str(error))
        except (KeyError, TypeError, ValueError) as error:
            log.info("gateway_command_malformed", op=op, reason=repr(error))
            raise Refusal(CloseCode.DECODE_ERROR) from None

    def _count_send(self) -> None:
        started, count = self._window
        now = time.monotonic()
        self._window = (started, count + 1) if now - started < 60 else (now, 1)
        if self._window[1] > SENDS_PER_MINUTE:
            raise Refusal(CloseCode.RATE_LIMITED)

    def _beat(self, _: Json) -> None:
        if not self._gateway.faults.swallow_acks:
            self.send_op(11, None)

    def _ignore(self, _: Json) -> None:
        self._authenticated()

    def _identify(self, data: Json) -> None:
        if self.session is not None:
            raise Refusal(CloseCode.ALREADY_AUTHENTICATED)
        self.session = self._gateway.identify(self, data)

    def _resume(self, data: Json) -> None:
        if self.session is not None:
            raise Refusal(CloseCode.ALREADY_AUTHENTICATED)
        outcome = self._gateway.resume(self, data)
        if isinstance(outcome, Session):
            self.session = outcome
        else:
            self.send_op(9, outcome)

    def _change_voice(self, data: Json) -> None:
        self._authenticated()
        self._gateway.change_own_voice(data)

    def _request_members(self, data: Json) -> None:
        self._gateway.send_members(self._authenticated(), data)

    def _authenticated(self) -> Session:
        if self.session is None:
            raise Refusal(CloseCode.NOT_AUTHENTICATED)
        return self.session


def _decode(raw: str | bytes) -> tuple[int, Json]:
    if len(raw) > MAX_PAYLOAD:
        raise Refusal(CloseCode.DECODE_ERROR)
    try:
        message = msgspec.json.decode(raw)
        return int(message["op"]), message.get("d")
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        raise Refusal(CloseCode.DECODE_ERROR) from None


def _close_code(reading: asyncio.Task[None]) -> int:
    """Tell with which code a connection ends whose reader is done."""
    error = None if reading.cancelled() or not reading.done() else reading.exception()
    if error is None:
        return 1000
    if isinstance(error, Refusal):
        log.info("gateway_connection_refused", reason=str(error), code=int(error.code))
        return error.code
    log.error("gateway_connection_failed", exc_info=error)
    return CloseCode.UNKNOWN_ERROR
