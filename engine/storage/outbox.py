"""The outbox's stream: what the engine wants done on Discord, on its way to the ingest.

The ledger is what remembers an effect until its outcome is journaled; this stream only carries it. So it may
be lost (the engine sends again) and may carry an effect twice (its ``outbox_id`` tells).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import redis
import structlog

from engine.domain.effects import GrantRole, PostMessage, ToDiscord
from engine.storage.redis_client import Wire, away_as_connection_error, connect, pack

STREAM = "rollcall:outbox"
GROUP = "ingest"
FIELD = b"m"
RECEIVE_MAX = 100
BLOCK_MAX_MS = 2_000
_TAKEN_BACK = (("XACK", GROUP), ("XDEL",))

_log = structlog.get_logger(__name__)
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[ToDiscord] = msgspec.msgpack.Decoder(ToDiscord)
# What an older life sent has no tag: all there was were messages.
_untagged = msgspec.msgpack.Decoder(PostMessage)


class OutboxSender:
    """The engine's end (``protocols.OutboxSender``). One thread at a time."""

    def __init__(self, url: str) -> None:
        self._wire = Wire(url)

    def send(self, messages: Iterable[ToDiscord]) -> None:
        """Send messages, in order. Raises ``ConnectionError``: then send them all again."""
        commands = [("XADD", STREAM, "*", FIELD, _encoder.encode(message)) for message in messages]
        if commands:
            self._wire.exchange(pack(commands), len(commands))

    def withdraw(self, forgotten: Mapping[int, int]) -> None:
        """Take back what was sent for users, each up to a moment, unless it is done already.

        Raises ``ConnectionError``: then do it again.
        """
        found = self._wire.ask("XRANGE", STREAM, "-", "+")
        receipts = [receipt for receipt, fields in found if _is_for(fields, forgotten)]
        # Without the group the server answers 0; acknowledged, so that the ingest does not find it empty.
        commands = [(name, STREAM, *group, it) for it in receipts for name, *group in _TAKEN_BACK]
        if commands:
            self._wire.exchange(pack(commands), len(commands))

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()


class OutboxReceiver:
    """The ingest's end. What was received and is not ``done`` comes again to the next life of ``consumer``.

    One thread at a time. All methods raise ``ConnectionError`` when Redis is away.
    """

    def __init__(self, url: str, consumer: str) -> None:
        self._url = url
        self._consumer = consumer
        self._client = connect(url, timeout_s=BLOCK_MAX_MS / 1000 + 3)
        self._handed_out: set[str] = set()
        # Where the reading of our own unfinished business stands; None once through it.
        self._unfinished: str | None = "0"

    def receive(self, block_ms: int) -> list[tuple[str, ToDiscord]]:
        """Return messages and the receipts for ``done``, oldest first; waits ``block_ms``, 2 s at most."""
        try:
            with away_as_connection_error(self._url):
                return list(self._receive(block_ms))
        except ConnectionError:
            # The reply may be lost whose messages the server now counts as ours.
            self._unfinished = "0"
            raise

    def done(self, receipt: str) -> None:
        """Forget a message for good."""
        with away_as_connection_error(self._url):
            pipeline = self._client.pipeline(transaction=True)
            pipeline.xack(STREAM, GROUP, receipt)
            pipeline.xdel(STREAM, receipt)
            pipeline.execute()
        self._handed_out.discard(receipt)

    def close(self) -> None:
        """Close the connection; what is not done comes again."""
        self._client.close()

    def _receive(self, block_ms: int) -> Iterator[tuple[str, ToDiscord]]:
        while self._unfinished is not None:
            found = self._read(self._unfinished, None)
            self._unfinished = found[-1][0].decode() if found else None
            if messages := list(self._messages(found)):
                yield from messages
                return
        yield from self._messages(self._read(">", min(block_ms, BLOCK_MAX_MS) or None))

    def _read(self, after: str, block_ms: int | None) -> list[Any]:
        try:
            return self._ask(after, block_ms)
        except redis.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
        self._client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        return self._ask(after, block_ms)

    def _ask(self, after: str, block_ms: int | None) -> list[Any]:
        reply: Any = self._client.xreadgroup(
            GROUP, self._consumer, {STREAM: after}, count=RECEIVE_MAX, block=block_ms
        )
        return list(reply[0][1]) if reply else []

    def _messages(
        self, found: Iterable[tuple[bytes, dict[bytes, bytes] | None]]
    ) -> Iterator[tuple[str, ToDiscord]]:
        for journal_id, fields in found:
            receipt = journal_id.decode()
            if receipt in self._handed_out:
                continue
            try:
                message = _decoded((fields or {})[FIELD])
            except (KeyError, msgspec.MsgspecError) as error:
                _log.error("outbox_message_unreadable", id=receipt, reason=str(error))
                self.done(receipt)
                continue
            self._handed_out.add(receipt)
            yield receipt, message


def _is_for(fields: Sequence[bytes], forgotten: Mapping[int, int]) -> bool:
    try:
        message = _decoded(fields[1])
    except (IndexError, msgspec.MsgspecError):
        return False
    return isinstance(message, GrantRole) and message.at <= forgotten.get(message.user_id, -1)


def _decoded(raw: bytes) -> ToDiscord:
    try:
        return _decoder.decode(raw)
    except msgspec.ValidationError as error:
        with suppress(msgspec.ValidationError):
            return _untagged.decode(raw)
        raise error from None
