"""The one form of every refusal: ``{"error": {"code", "message", "field"?}}``."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from engine.commands import NotCommitted
from engine.storage.protocols import StorageError
from engine.storage.queries import InvalidCursor

CODES = {
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    422: "invalid",
    429: "too_many",
    500: "internal",
    503: "unavailable",
}
DESCRIPTIONS = {
    401: "The bearer token is missing or wrong.",
    404: "There is no such thing; `field` names the id.",
    409: "Its state forbids it, as starting an event that is active; `field` names what stands in the way.",
    413: "The request's body is too large.",
    422: "A value cannot be read or cannot be; `field` names it.",
    429: "Too many wrong tokens, or too many changes at a time, from one address.",
    503: "The ledger or the journal is busy or away, an outcome was not committed in time, or (as plain text)"
    " too many requests came at once: try again.",
}
_RETRY_AFTER = {
    "description": "In how many seconds to try again.",
    "schema": {"type": "integer", "minimum": 1},
}
# Of a message, and of a name that somebody made up.
_MESSAGE_MAX, _NAME_MAX = 1_000, 100
_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


class Problem(BaseModel):
    """What is wrong, for programs and for people."""

    code: str = Field(description="Stable, for programs.", examples=list(CODES.values()))
    message: str = Field(description="One line, for people.")
    field: str | None = Field(None, description="The parameter at fault, where it is one.")


class ErrorBody(BaseModel):
    """The body of every answer that is no success."""

    error: Problem


class Refused(Exception):  # noqa: N818 - an answer, as HTTPException is
    """A request that cannot be met: answered with ``status``, one of ``CODES``."""

    def __init__(self, status: int, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.field = status, field


class InvalidField(Refused):
    """A parameter that parses but cannot be meant: answered with 422."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(422, f"{field}: {message}", field)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return these statuses in the form that OpenAPI's ``responses`` take."""
    told: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorBody, "description": DESCRIPTIONS[status]} for status in statuses
    }
    if 429 in told:
        told[429]["headers"] = {"Retry-After": _RETRY_AFTER}
    if 503 in told:
        told[503]["content"] = {"text/plain": {}}  # uvicorn's own answer (server.MAX_CONCURRENT)
    return told


def refusal(
    status: int, message: str, *, field: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return the response that says no."""
    problem = Problem(code=CODES.get(status, "refused"), message=_line(message, _MESSAGE_MAX), field=field)
    body = ErrorBody(error=problem).model_dump(exclude_none=True)
    return JSONResponse(body, status_code=status, headers=headers)


def install(app: FastAPI) -> None:
    """Make the framework's own refusals speak this form too."""
    app.exception_handler(HTTPException)(_http_refused)
    app.exception_handler(RequestValidationError)(_request_invalid)
    app.exception_handler(Refused)(_refused)
    app.exception_handler(InvalidCursor)(_cursor_invalid)
    app.exception_handler(StorageError)(_unavailable)
    app.exception_handler(NotCommitted)(_unavailable)


async def _http_refused(request: Request, error: HTTPException) -> JSONResponse:
    if error.status_code == 400:  # FastAPI's, of a body that is no text, or nested without end
        return refusal(422, "the body cannot be read: send JSON in UTF-8")
    headers = error.headers
    if error.status_code == 405:  # Starlette names the methods of one route only
        headers = {"Allow": ", ".join(_allowed(request))}
    return refusal(error.status_code, error.detail, headers=headers)


def _allowed(request: Request) -> list[str]:
    scopes = [dict(request.scope) | {"method": it} for it in _METHODS]
    return [
        scope["method"]
        for scope in scopes
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
    ]


async def _request_invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    faults = [_fault(it) for it in error.errors()]
    message = "; ".join(f"{field or place}: {text}" for place, field, text in faults)
    return refusal(422, message, field=faults[0][1] or None)


def _fault(it: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the place (query, path, header, body), the field in it, and what is wrong."""
    place, *parts = it["loc"]
    if it["type"] == "json_invalid":  # `loc` tells where in the text
        return place, "", f"is no JSON: {it['ctx']['error']} at character {parts[0]}"
    field = _line(".".join(str(part) for part in parts), _NAME_MAX)
    unknown = it["type"] == "extra_forbidden"
    return place, field, "cannot be given here: it is unknown or read-only" if unknown else it["msg"]


def _line(text: str, length_max: int) -> str:
    """Return a text that may be a stranger's as one line of characters that can be sent."""
    line = "".join(it if it.isprintable() else ascii(it)[1:-1] for it in text[:length_max])
    return line if len(text) <= length_max else f"{line}..."


async def _refused(_: Request, error: Refused) -> JSONResponse:
    return refusal(error.status, str(error), field=error.field)


async def _cursor_invalid(_: Request, error: InvalidCursor) -> JSONResponse:
    return refusal(422, f"cursor: {error} is none that a page named", field="cursor")


async def _unavailable(_: Request, error: StorageError | NotCommitted) -> JSONResponse:
    return refusal(503, str(error))
