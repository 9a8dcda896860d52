"""py-cord's gateway socket, made to feed the journal and to survive whatever is sent to it."""

import asyncio
import math
import time
from typing import Any, ClassVar, Protocol

import aiohttp
import msgspec
import structlog
from discord.gateway import DiscordWebSocket

from bot_adapter.intake import Intake
from bot_adapter.payloads import Frame, Hello, Malformed, malformed

log = structlog.get_logger(__name__)

CLOSE_TIMEOUT_S = 1.0
# A connection without any frame this long after a heartbeat's answer was due is half dead.
HEARTBEAT_GRACE_S = 10.0

_FLUSHED = b"\x00\x00\xff\xff"  # how each complete message of a zlib-stream ends
_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeError)
_decode_frame = msgspec.json.Decoder(Frame).decode
_decode_hello = msgspec.json.Decoder(Hello).decode


class Owner(Protocol):
    """Who keeps a socket: see ``shard.Shard``."""

    intake: Intake
    silence_s: float | None
    socket: "GatewaySocket | None"


class GatewaySocket(DiscordWebSocket):
    """A gateway connection whose voice states bypass py-cord, and which no payload can end.

    py-cord builds its sockets itself (``from_client``), so the ``owner`` stands on a class made for it.
    """

    owner: ClassVar[Owner]

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(socket, loop=loop)
        self._intake = self.owner.intake
        self.frame_at = self._intake.clock.now()
        self.silence_s = math.inf
        self._left = False
        self._beats = self._answers = self._proof = 0
        # At once, so that a socket that fails before its session begins is closed all the same.
        self.owner.socket = self

    async def received_message(self, msg: Any, /) -> None:
        """Take one websocket message: py-cord calls this for each, in order."""
        data = self._inflate(msg) if type(msg) is bytes else msg
        if data is None:
            return
        self.frame_at = at = self._intake.clock.now()
        if self._intake.connection.awake(at):
            await self._ask_for_the_present()
        try:
            frame = _decode_frame(data)
        except _UNREADABLE as error:
            self._intake.drop("frame", malformed("frame", error))
            return
        if frame.op != self.DISPATCH:
            await self._control(frame, data)
        elif self._take(frame, at):
            await self._parse(frame, data)
        self._advance(frame)

    async def keep_awake(self) -> None:
        """Note that we are at work, though there may be nothing to read. Called some times a second."""
        if self._intake.connection.awake(self._intake.clock.now()):
            await self._ask_for_the_present()

    async def _ask_for_the_present(self) -> None:
        """After a stall, send a heartbeat: what comes behind its answer was sent after the stall."""
        if not self._proof:
            self._proof = self._beats + 1
            log.warning("gateway_reader_stalled", shard_id=self.shard_id)
            await self.send_heartbeat({"op": self.HEARTBEAT, "d": self.sequence})

    def _answered(self) -> None:
        """Heartbeats are answered in order; one sent after the stall says that the stall is over."""
        self._answers += 1
        if self._proof and self._answers >= self._proof:
            self._proof = 0
            self._intake.connection.catch_up()

    async def resume(self) -> None:
        """Send RESUME."""
        self._intake.replaying()
        await super().resume()

    async def send_heartbeat(self, data: Any) -> None:
        """Send a heartbeat."""
        if self._keep_alive is not None:
            # py-cord's thread notes the time once it hears that the heartbeat is out. An answer overtaking
            # that would be measured from the heartbeat before, and py-cord would warn of a slow connection.
            self._keep_alive._last_send = time.perf_counter()  # noqa: SLF001 - it offers no other way
        self._beats += 1
        await super().send_heartbeat(data)

    async def close(self, code: int = 4000) -> None:
        """Close, without waiting long for a peer that may be gone."""
        self._left = self._left or self.socket.close_code is None
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await super().close(code)
        except TimeoutError:
            log.debug("gateway_close_unanswered", shard_id=self.shard_id)

    async def send_as_json(self, data: Any) -> None:
        """Send anything; py-cord's heartbeats at HELLO and on demand go this way, and are answered as any."""
        self._beats += data.get("op") == self.HEARTBEAT
        await super().send_as_json(data)

    @property
    def closed_by_peer(self) -> bool:
        """The peer ended the stream, and in order: all it sent before has been read."""
        abnormal = {None, aiohttp.WSCloseCode.ABNORMAL_CLOSURE}
        return not self._left and self.socket.close_code not in abnormal

    def _inflate(self, part: bytes) -> bytes | None:
        self._buffer.extend(part)
        if not part.endswith(_FLUSHED):
            return None
        whole = self._zlib.decompress(self._buffer)
        self._buffer = bytearray()
        return whole

    def _take(self, frame: Frame, at: int) -> bool:
        """Take a dispatch for the journal; True where py-cord must see it too."""
        if frame.t == "VOICE_STATE_UPDATE":
            return self._intake.take_voice_state(frame.d, at)
        return frame.t is None or self._intake.take(frame.t, frame.d, at)

    def _advance(self, frame: Frame) -> None:
        """Do what py-cord does for each frame, also for those it does not see.

        After taking it: what could not be appended is not acknowledged, and the next RESUME replays it.
        """
        if frame.s is not None:
            self.sequence = frame.s
        if self._keep_alive is not None:
            self._keep_alive.tick()

    async def _control(self, frame: Frame, data: bytes | str) -> None:
        if frame.op == self.HELLO:
            await self._hello(frame, data)
            return
        if frame.op == self.HEARTBEAT_ACK:
            self._answered()
        try:
            await super().received_message(_text(data))
        except _UNREADABLE as error:  # what we left undecoded, py-cord decodes
            self._intake.drop("frame", malformed("frame", error))

    async def _hello(self, frame: Frame, data: bytes | str) -> None:
        interval_s = _decode_hello(frame.d).heartbeat_interval / 1000
        self.silence_s = self.owner.silence_s or interval_s + HEARTBEAT_GRACE_S
        self._max_heartbeat_timeout = self.silence_s  # for the thread that sends heartbeats, and begins here
        await super().received_message(_text(data))
        # From now on reads have no timeout: it would cost a third of each update. ``Shard`` watches instead.
        self._max_heartbeat_timeout = 0.0

    async def _parse(self, frame: Frame, data: bytes | str) -> None:
        """Let py-cord parse a dispatch; what it cannot take is dropped."""
        event = frame.t
        try:
            await super().received_message(_text(data))
        except Exception as error:
            if event in {"READY", "RESUMED"}:
                raise  # there is no session to go on with
            self._intake.drop("frame" if event is None else event, error)
        if event == "READY":
            self._ready(frame)
        elif event == "RESUMED":
            self._intake.resumed()

    def _ready(self, frame: Frame) -> None:
        session_id, self.session_id = self.session_id, None
        self._intake.ready(self._own_user_id(), frame.d, self.frame_at)
        self.session_id = session_id  # only now: a RESUME would not bring again what could not be appended

    def _own_user_id(self) -> int:
        user = self._connection.user
        if user is None:
            raise Malformed("READY", "user", "there is none")
        return user.id


def _text(data: bytes | str) -> str:
    return data if isinstance(data, str) else data.decode()
