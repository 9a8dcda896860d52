"""The API's two listeners, TCP and a Unix socket, on one event loop in a thread of their own."""

import asyncio
import errno
import ipaddress
import os
import socket
import stat
import threading
from pathlib import Path

import structlog
import uvicorn
from starlette.types import ASGIApp

STOP_TIMEOUT_S = 2.0
# Connections and running requests on each listener; the next ones get 503. A flood on TCP leaves the
# Unix socket, and so `rollcall debug`, alone.
MAX_CONCURRENT = 64
MAX_HEADER_BYTES = 16_384
BACKLOG = 128

log = structlog.get_logger(__name__)


class ListenError(Exception):
    """A listener cannot be opened; the text is one line that names the setting and says what to do."""


class ApiServer:
    """Serves one app over TCP and one over a Unix socket, until stopped."""

    def __init__(self, app_tcp: ASGIApp, app_unix: ASGIApp, host: str, port: int, socket_path: Path) -> None:
        self._host, self._port, self._socket_path = host, port, socket_path
        self._servers = [uvicorn.Server(_config(app)) for app in (app_tcp, app_unix)]
        self._listeners: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, name="api", daemon=True)

    @property
    def port(self) -> int:
        """The TCP port, once started: the one asked for, or the one the system chose for 0."""
        return self._port

    def start(self) -> None:
        """Listen, and return as soon as clients can connect. Raises ``ListenError``."""
        tcp = listen_tcp(self._host, self._port)
        try:
            unix = listen_unix(self._socket_path)
        except ListenError:
            tcp.close()
            raise
        self._port = tcp.getsockname()[1]
        self._listeners = [tcp, unix]
        self._thread.start()
        log.info("api_listening", host=self._host, port=self._port, socket=str(self._socket_path))

    def alive(self) -> bool:
        """Return whether the thread that serves is running."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End open requests and close the listeners, within ``STOP_TIMEOUT_S``. May be called twice."""
        if not self._listeners:
            return
        for server in self._servers:
            server.should_exit = True
        self._thread.join(STOP_TIMEOUT_S)
        if self._thread.is_alive():
            log.warning("api_stop_timeout", timeout_s=STOP_TIMEOUT_S)
        self._listeners = []
        self._socket_path.unlink(missing_ok=True)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception:
            log.exception("api_failed")
        finally:
            for listener in self._listeners:
                listener.close()

    async def _serve(self) -> None:
        pairs = zip(self._servers, self._listeners, strict=True)
        await asyncio.gather(*(server.serve(sockets=[listener]) for server, listener in pairs))


def refuse_open_door(host: str, token: str | None, token_env: str) -> None:
    """Refuse to listen where other machines can come in, unless they need a token.

    ``token_env`` is the variable that would hold it. Raises ``ListenError``.
    """
    if token:
        return
    open_to = [address for _, address in _addresses(host) if not _is_loopback(address)]
    if open_to:
        place = host if host == open_to[0] else f"{host} ({open_to[0]})"
        raise ListenError(
            f"api.host: {place} is open to other machines: set a token in {token_env}, or listen on 127.0.0.1"
        )


def _addresses(host: str) -> list[tuple[socket.AddressFamily, str]]:
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that cannot be one
        raise ListenError(_no_address(host, error)) from error
    return [(family, str(address[0])) for family, _, _, _, address in found]


def _is_loopback(address: str) -> bool:
    it = ipaddress.ip_address(address)
    mapped = it.ipv4_mapped if isinstance(it, ipaddress.IPv6Address) else None
    return (mapped or it).is_loopback


def listen_tcp(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket. Raises ``ListenError``."""
    family, address = _addresses(host)[0]
    try:
        listener = socket.create_server((address, port), family=family, backlog=BACKLOG)  # sets SO_REUSEADDR
    except OSError as error:
        raise ListenError(_tcp_reason(error, host, port)) from error
    # Connections inherit it. asyncio sets it only where a socket names its protocol, which this one does not;
    # without it an answer's body waits 40 ms for the client's delayed ACK of its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _tcp_reason(error: OSError, host: str, port: int) -> str:
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return f"api.port: {place} is taken by another process: choose another port"
    if error.errno == errno.EACCES:
        return f"api.port: {place} may not be used by this account: choose a port above 1023"
    return _no_address(place, error)


def _no_address(place: str, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    return f"api.host: cannot listen on {place} ({reason}): choose an address of this machine"


def listen_unix(path: Path) -> socket.socket:
    """Return a listening Unix socket that only this account may use. Raises ``ListenError``.

    A socket file that nobody listens on, left by a process that was killed, is replaced.
    """
    try:
        _remove_stale(path)
        return _bind_private(path)
    except OSError as error:
        reason = error.strerror or str(error)  # "AF_UNIX path too long" has no errno
        raise ListenError(f"api.socket: cannot listen on {path} ({reason}): choose another path") from error


def _bind_private(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The mode must be right from the first moment. The process-wide umask is the only portable way;
    # what another thread creates meanwhile is stricter than it asked for, never laxer.
    umask = os.umask(0o177)
    try:
        listener.bind(str(path))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(umask)
    return listener


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ListenError(f"api.socket: {path} exists and is no socket: choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise ListenError(
                f"api.socket: {path} is in use by another process: stop it, or choose another path"
            )


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONCURRENT,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        timeout_graceful_shutdown=1,
    )
