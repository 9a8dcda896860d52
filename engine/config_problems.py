"""What is wrong with a configuration, each in one line that names the key and never shows a secret."""

import difflib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

from engine.settings import Settings

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# What pydantic calls the two halves of trackers.use_default_trackers: no keys.
_HALVES = ("bool", "literal['auto']")


def checked(document: dict[str, Any]) -> tuple[Settings, list[str]]:
    """Return the settings, the wrong ones left out of the document, and all that is wrong, a line each."""
    problems = _misplaced_secrets(document)
    try:
        return Settings.model_validate(document), problems
    except ValidationError as error:
        errors = error.errors(include_url=False)
    problems += [problem(it) for it in errors]
    for location in sorted({_wrong(it) for it in errors}, key=len, reverse=True):
        _leave_out(document, location)
    return checked(document)[0], sorted(problems)  # what is wrong only now follows from what was left out


def _wrong(error: "ErrorDetails") -> tuple[int | str, ...]:
    """Return what to leave out: an unknown key alone, else all of its table's key."""
    location = error["loc"]
    if error["type"] == "extra_forbidden":
        return location
    if str(location[-1]).endswith("_env"):
        return location[:1]  # whose secret is missing cannot be told without the name
    return location[:2]


def _leave_out(document: Any, location: tuple[int | str, ...]) -> None:
    for part in location[:-1]:
        document = document[part]
    del document[location[-1]]


def _misplaced_secrets(document: dict[str, Any]) -> list[str]:
    """Take a token out of the document: its value must not get into any other message."""
    discord = document.get("discord")
    if not isinstance(discord, dict) or "token" not in discord:
        return []
    document["discord"] = {key: value for key, value in discord.items() if key != "token"}
    return ["discord.token: is a secret and has no place here: set DISCORD_TOKEN in the environment"]


def problem(error: "ErrorDetails") -> str:
    """Say in one line which key is wrong, and how: ``storage.partitions: should be ... (got 99)``."""
    if error["type"] == "extra_forbidden":
        return f"{_place(error['loc'])}: unknown key{_suggestion(error['loc'])}"
    place = _place([part for part in error["loc"] if part not in _HALVES])
    if error["type"] == "missing":
        return f"{place}: is missing"
    if error["type"] == "model_type":
        return f"{place}: should be a table (got {shown(error['input'])})"
    if error["type"] == "value_error":
        text = error["msg"].removeprefix("Value error, ")
        return f"{place}: {text} (got {shown(error['input'])})"
    return f"{place}: {error['msg'].removeprefix('Input ')} (got {shown(error['input'])})"


def _suggestion(location: Sequence[int | str]) -> str:
    holder: Any = Settings
    for part in location[:-1]:
        keys = _keys(holder)
        holder = keys.get(str(part)) if keys else next(filter(_keys, get_args(holder)), None)
    known = [key for key in _keys(holder) if key != "token"]
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _keys(table: Any) -> dict[str, Any]:
    """Return a table's keys and their types; none of what is no table, as a list or a map of tables."""
    if not (isinstance(table, type) and issubclass(table, BaseModel)):
        return {}
    return {it.alias or name: it.annotation for name, it in table.model_fields.items()}


def _place(location: Sequence[int | str]) -> str:
    return ".".join(_plain(str(part)) for part in location)


def _plain(part: str) -> str:
    return part if part.isprintable() and len(part) <= 60 else shown(part)


def shown(value: Any) -> str:
    """A value in a message: one short line, without a password, wherever in it that is."""
    text = ascii(value) if not isinstance(value, str) or not value.isprintable() else repr(value)
    text = re.sub(r"password=[^&'\"]*", "password=***", re.sub("://.*@", "://***@", text))
    return text if len(text) <= 80 else text[:77] + "..."
