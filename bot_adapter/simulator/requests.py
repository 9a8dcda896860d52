"""What all routes share: how a request is read, and how it is refused in Discord's form."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from bot_adapter.simulator.payloads import Json
from bot_adapter.simulator.schedule import FormError
from bot_adapter.simulator.structure import WorldError

T = TypeVar("T")

# https://docs.discord.com/developers/topics/opcodes-and-status-codes#json-json-error-codes
UNKNOWN_CHANNEL, UNKNOWN_GUILD, UNKNOWN_MEMBER, UNKNOWN_ROLE, UNKNOWN_USER = 10003, 10004, 10007, 10011, 10013
UNKNOWN_VOICE_STATE, UNKNOWN_SCHEDULED_EVENT = 10065, 10070
NOT_IN_VOICE, EMPTY_MESSAGE, MISSING_PERMISSIONS, INVALID_FORM = 40032, 50006, 50013, 50035

# How msgspec ends the message about a field, as in "... - at `$.name`".
_FIELD = re.compile(r"^(.*?)(?: - at `\$\.(.+)`)?$")


class ApiError(Exception):
    """An answer that is no success. ``code`` is Discord's JSON error code."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    def body(self) -> Json:
        return {"message": self.message, "code": self.code}


def id_of(request: web.Request, name: str) -> int:
    """Return an id of the path."""
    text = request.match_info[name]
    if not text.isdecimal():
        raise ApiError(400, INVALID_FORM, "Invalid Form Body")
    return int(text)


def find(look_up: Callable[[int], T], key: int, code: int, what: str) -> T:
    try:
        return look_up(key)
    except (KeyError, WorldError):
        raise ApiError(404, code, f"Unknown {what}") from None


async def json_body(request: web.Request, kind: type[T]) -> T:
    """Read a JSON body, or the ``payload_json`` of a form, of the expected kind.

    Ids may be numbers or strings. Raises `FormError` where a field is wrong, else `ApiError`.
    """
    try:
        if request.content_type == "application/json":
            raw: Any = await request.read()
        else:
            raw = str((await request.post())["payload_json"])
        return msgspec.convert(msgspec.json.decode(raw), kind, strict=False)
    except msgspec.ValidationError as error:
        raise _malformed(error) from None
    except (KeyError, msgspec.MsgspecError):
        raise ApiError(400, INVALID_FORM, "Invalid Form Body") from None


def wants(request: web.Request, flag: str) -> bool:
    """Tell whether a query parameter is true in one of the spellings that Discord takes."""
    return request.query.get(flag) in ("1", "true", "True")


def refusal(error: WorldError) -> Json:
    """Return the body of the 400 with which Discord refuses what cannot be done."""
    if not isinstance(error, FormError):
        return {"message": str(error), "code": error.code}
    errors: Json = {"_errors": [{"code": error.reason, "message": error.message}]}
    for key in reversed(error.path.split(".")):
        errors = {key: errors}
    return {"message": "Invalid Form Body", "code": error.code, "errors": errors}


def _malformed(error: msgspec.ValidationError) -> Exception:
    match = _FIELD.match(str(error))
    if match is None or match[2] is None:
        return ApiError(400, INVALID_FORM, "Invalid Form Body")
    return FormError(match[2], "BASE_TYPE_INVALID", match[1])
