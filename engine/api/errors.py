"""The one form of every refusal: ``{"error": {"code", "message", "field"?}}``."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from engine.storage.protocols import StorageError

CODES = {
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    422: "invalid",
    500: "internal",
    503: "unavailable",
}
DESCRIPTIONS = {
    401: "The bearer token is missing or wrong.",
    404: "There is no such thing.",
    413: "The request's body is too large.",
    422: "A value cannot be read; `field` names it.",
    503: "The ledger is busy or away, or (as plain text) too many requests came at once: try again.",
}


class Problem(BaseModel):
    """What is wrong, for programs and for people."""

    code: str = Field(description="Stable, for programs.", examples=list(CODES.values()))
    message: str = Field(description="One line, for people.")
    field: str | None = Field(None, description="The parameter at fault, where it is one.")


class ErrorBody(BaseModel):
    """The body of every answer that is no success."""

    error: Problem


class InvalidField(Exception):  # noqa: N818 - it names what is wrong, as HTTPException does
    """A parameter that parses but cannot be meant: answered with 422."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return these statuses in the form that OpenAPI's ``responses`` take."""
    told: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorBody, "description": DESCRIPTIONS[status]} for status in statuses
    }
    if 503 in told:
        told[503]["content"] = {"text/plain": {}}  # uvicorn's own answer (server.MAX_CONCURRENT)
    return told


def refusal(
    status: int, message: str, *, field: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return the response that says no."""
    problem = Problem(code=CODES.get(status, "refused"), message=message, field=field)
    body = ErrorBody(error=problem).model_dump(exclude_none=True)
    return JSONResponse(body, status_code=status, headers=headers)


def install(app: FastAPI) -> None:
    """Make the framework's own refusals speak this form too."""
    app.exception_handler(HTTPException)(_http_refused)
    app.exception_handler(RequestValidationError)(_request_invalid)
    app.exception_handler(InvalidField)(_field_invalid)
    app.exception_handler(StorageError)(_storage_failed)


async def _http_refused(_: Request, error: HTTPException) -> JSONResponse:
    return refusal(error.status_code, error.detail, headers=error.headers)


async def _request_invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    # `loc` starts with the place (query, path, body), which the message does not need.
    faults = [(".".join(str(part) for part in it["loc"][1:]), it["msg"]) for it in error.errors()]
    message = "; ".join(f"{field}: {text}" if field else text for field, text in faults)
    return refusal(422, message, field=faults[0][0] or None)


async def _field_invalid(_: Request, error: InvalidField) -> JSONResponse:
    return refusal(422, f"{error.field}: {error}", field=error.field)


async def _storage_failed(_: Request, error: StorageError) -> JSONResponse:
    return refusal(503, str(error))
