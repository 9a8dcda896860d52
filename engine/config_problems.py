"""What is wrong with a configuration, each in one line that names the key and never shows a secret."""

import difflib
import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from engine.settings import Settings

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def misplaced_secrets(document: dict[str, Any]) -> list[str]:
    """Take a token out of the document: its value must not get into any other message."""
    discord = document.get("discord")
    if not isinstance(discord, dict) or "token" not in discord:
        return []
    document["discord"] = {key: value for key, value in discord.items() if key != "token"}
    return ["discord.token: is a secret and has no place here: set DISCORD_TOKEN in the environment"]


def problem(error: "ErrorDetails") -> str:
    """Say in one line which key is wrong, and how: ``storage.partitions: should be ... (got 99)``."""
    location = [str(part) for part in error["loc"] if part not in ("constrained-int", "int")]
    place = ".".join(_plain(part) for part in location)
    if error["type"] == "extra_forbidden":
        return f"{place}: unknown key{_suggestion(location)}"
    if error["type"] == "model_type":
        return f"{place}: should be a table (got {shown(error['input'])})"
    if error["type"] == "value_error":
        text = error["msg"].removeprefix("Value error, ")
        return f"{place}: {text} (got {shown(error['input'])})"
    return f"{place}: {error['msg'].removeprefix('Input ')} (got {shown(error['input'])})"


def _suggestion(location: list[str]) -> str:
    fields = Settings.model_fields
    for part in location[:-1]:
        model = fields[part].annotation
        fields = model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else {}
    near = difflib.get_close_matches(location[-1], [name for name in fields if name != "token"], n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _plain(part: str) -> str:
    return part if part.isprintable() and len(part) <= 60 else shown(part)


def shown(value: Any) -> str:
    """A value in a message: one short line, without a password, wherever in it that is."""
    text = ascii(value) if not isinstance(value, str) or not value.isprintable() else repr(value)
    text = re.sub(r"password=[^&'\"]*", "password=***", re.sub("://.*@", "://***@", text))
    return text if len(text) <= 80 else text[:77] + "..."
