"""What stands before every route: a net for defects, the token, the size limit. Plain ASGI, as ``rates``."""

import hmac
import re
import traceback

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.api.errors import refusal
from engine.api.rates import Buckets, refuse

MAX_BODY_BYTES = 65_536
OPEN_PATHS = frozenset({"/healthz", "/readyz"})  # what service managers probe, without data

_USER = re.compile("/users/[^/]+")

log = structlog.get_logger(__name__)


class Net:
    """Answers a request that a defect ended: 500 without detail; the detail goes to the log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception:  # noqa: BLE001 - the last one that can answer
            # As text: a renderer that shows the frames' variables would show the token in the headers.
            trace = traceback.format_exc()
            path = _USER.sub("/users/...", scope["path"])  # no log names a person
            log.error("request_failed", method=scope["method"], path=path, exception=trace)  # noqa: TRY400
            if not started:  # otherwise the server cuts the connection, which says it too
                await refusal(500, "the engine failed to answer: its log says why")(scope, receive, send)


class BearerToken:
    """Lets in who knows the token. It knows no routes, so that an unknown path tells nothing either.

    Who has tried too many wrong ones must wait, and is not listened to meanwhile, whatever comes next.
    """

    def __init__(self, app: ASGIApp, token: str | None, token_env: str, wrong: Buckets) -> None:
        self._app, self._wrong = app, wrong
        self._token = token.encode() if token else None
        self._hint = (
            "send the header 'Authorization: Bearer <token>'"
            if token
            else f"no token is configured: set {token_env} in the engine's environment and restart it"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if scope["path"] in OPEN_PATHS:
            answer = self._app
        elif given and (wait_s := self._wrong.wait_s(scope)):
            answer = refuse(wait_s, "too many wrong tokens")
        elif self._admits(given):
            answer = self._app
        else:
            if given:
                self._wrong.take(scope)
            answer = refusal(401, self._hint, headers={"WWW-Authenticate": 'Bearer realm="rollcall"'})
        await answer(scope, receive, send)

    def _admits(self, given: list[bytes]) -> bool:
        if self._token is None or len(given) != 1:
            return False
        scheme, _, credentials = given[0].partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(credentials.strip(), self._token)


class BodyLimit:
    """Refuses bodies above ``MAX_BODY_BYTES``: those that say so at once, the others as they are read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if _announced_bytes(scope) > MAX_BODY_BYTES:
            await refusal(413, _TOO_LARGE)(scope, receive, send)
            return
        read = 0

        async def count() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > MAX_BODY_BYTES:
                raise HTTPException(413, _TOO_LARGE)
            return message

        await self._app(scope, count, send)


_TOO_LARGE = f"a request's body is at most {MAX_BODY_BYTES} bytes"


def _announced_bytes(scope: Scope) -> int:
    return max((int(value) for name, value in scope["headers"] if name == b"content-length"), default=0)
