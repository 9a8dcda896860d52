"""How Rollcall talks to Redis: two kinds of connection, one kind of failure.

``connect`` gives redis-py's client for everything ordinary. ``Wire`` is one bare connection for the hot
paths: packed commands out, raw replies in. Both pin what redis-py 8 would otherwise choose: the protocol
(RESP2, so replies have one shape on every server), no retries (a blind retry after a lost reply appends
twice), timeouts.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, cast
from urllib.parse import unquote, urlsplit

import hiredis
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from engine.storage.protocols import StorageError

SCHEMES = ("redis", "rediss", "unix")

Command: TypeAlias = tuple[str | bytes | int, ...]
# The stubs of hiredis know tuples of one item only.
pack_command = cast("Callable[[Command], bytes]", hiredis.pack_command)


def pack(commands: Iterable[Command]) -> bytes:
    """Return commands as the bytes of one pipeline."""
    return b"".join(map(pack_command, commands))


def connect(url: str, *, timeout_s: float = 5.0) -> redis.Redis:
    """Return a client for ``url`` (redis://, rediss://, unix://); connects at the first command.

    Raises ``StorageError`` for a url that is none. Not for blocking reads longer than ``timeout_s``.
    """
    if urlsplit(url).scheme not in SCHEMES:
        raise StorageError(
            f"{without_password(url)!r} is not a Redis url: use redis://, rediss:// or unix://"
        )
    try:
        return redis.Redis.from_url(
            url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            driver_info=None,
        )
    except ValueError as error:
        raise StorageError(f"{without_password(url)!r} is not a Redis url: {error}") from None


def without_password(url: str) -> str:
    """Return ``url`` fit for logs and messages."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return "***" if "@" in url else url
    login, at, rest = rest.rpartition("@")
    rest = re.sub(r"(?<=[?&]password=)[^&]*", "***", rest)
    return f"{scheme}://{login.partition(':')[0]}{':***@' if ':' in login else at}{rest}"


def without_secret(text: str, url: str) -> str:
    """Return an error's text with the password of ``url`` blotted out."""
    parts = urlsplit(url)
    for secret in (parts.password, *re.findall(r"(?:^|&)password=([^&]*)", parts.query)):
        if secret:
            text = text.replace(secret, "***").replace(unquote(secret), "***")
    return text


@contextmanager
def away_as_connection_error(url: str) -> Iterator[None]:
    """Turn whatever redis-py raises into the built-in ``ConnectionError`` that the protocols promise."""
    try:
        yield
    except (redis.RedisError, OSError) as error:
        raise away(url, error) from None


def away(url: str, error: Exception) -> ConnectionError:
    """Return the ``ConnectionError`` that tells of ``error``: where, what, and no secret."""
    reason = without_secret(str(error), url) or type(error).__name__
    return ConnectionError(f"Redis at {without_password(url)}: {reason}")


class Wire:
    """One connection, opened when needed, for one thread at a time.

    Every failure, an error reply included, closes it and raises ``ConnectionError``: what was sent may or may
    not have been done, and no reply of it can be taken for that of a later command.
    """

    def __init__(self, url: str, *, timeout_s: float = 5.0) -> None:
        self._url = url
        self._pool = connect(url, timeout_s=timeout_s).connection_pool
        self._connection: Any = None

    def ask(self, *command: str | bytes | int) -> Any:
        """Send one command and return its reply, undecoded."""
        return self.exchange(pack_command(command), 1)[0]

    def exchange(self, packed: bytes, replies: int) -> list[Any]:
        """Send packed commands as one pipeline and return their replies, undecoded."""
        try:
            connection = self._connection or self._connect()
            connection.send_packed_command([packed], check_health=False)
            read = connection.read_response
            return [read(disable_decoding=True) for _ in range(replies)]
        except (redis.RedisError, OSError) as error:
            self.close()
            raise away(self._url, error) from None

    def transaction(self, packed: bytes, commands: int) -> list[Any]:
        """Send packed commands as MULTI/EXEC, all or nothing, and return their replies.

        A plain pipeline would go on behind a command that was refused (OOM, MISCONF, READONLY come and go
        between two commands), and so change their order.
        """
        replies: list[Any] = self.exchange(b"%b%b%b" % (_MULTI, packed, _EXEC), commands + 2)[-1]
        for reply in replies:
            if isinstance(reply, Exception):
                self.close()
                raise away(self._url, reply)
        return replies

    def open(self) -> None:
        """Connect, where not connected. Raises ``ConnectionError``: then nothing at all was sent."""
        try:
            self._connection or self._connect()
        except (redis.RedisError, OSError) as error:
            self.close()
            raise away(self._url, error) from None

    def close(self) -> None:
        """Close the connection; the next exchange opens another."""
        if self._connection is not None:
            self._connection.disconnect()
            self._connection = None

    def _connect(self) -> Any:
        # Not the pool's own way: it counts what it makes, and after a hundred makes none any more.
        connection: Any = self._pool.connection_class(**self._pool.connection_kwargs)
        self._connection = connection  # at once, so that a failure below closes it
        connection.connect()
        # A server that still loads its file refuses commands one by one; it must not turn ready half-way
        # through a pipeline, which would lose the pipeline's order.
        connection.send_command("PING", check_health=False)
        connection.read_response(disable_decoding=True)
        return connection


_MULTI = pack([("MULTI",)])
_EXEC = pack([("EXEC",)])
