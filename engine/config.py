"""The configuration: ``config.toml`` with its settings checked, the secrets of the environment, and the paths
that follow from both.
"""

import difflib
import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import BaseModel, SecretStr, ValidationError

from engine.settings import (
    Api,
    Discord,
    Engine,
    Events,
    Log,
    Sessions,
    Settings,
    Simulator,
    Storage,
    Trackers,
)

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from engine.domain.rules import Rules

DEFAULT_FILE = Path("config.toml")
# A Unix socket's path must fit 104 bytes on macOS, 108 on Linux, with the NUL.
_SOCKET_PATH_MAX = 103
_LONGEST_SOCKET_NAME = "control.sock"


class ConfigError(Exception):
    """The configuration cannot be used. ``problems`` holds all that is wrong, a line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Config:
    """The settings by table, and what follows from them.

    ``source`` is the file they were read from, None for the built-in defaults. ``folder`` is what relative
    paths are relative to.
    """

    source: Path | None
    folder: Path
    settings: Settings = field(default_factory=Settings)
    api_token: SecretStr | None = None
    redis_password: SecretStr | None = None

    @property
    def discord(self) -> Discord:
        return self.settings.discord

    @property
    def storage(self) -> Storage:
        return self.settings.storage

    @property
    def sessions(self) -> Sessions:
        return self.settings.sessions

    @property
    def events(self) -> Events:
        return self.settings.events

    @property
    def trackers(self) -> Trackers:
        return self.settings.trackers

    @property
    def engine(self) -> Engine:
        return self.settings.engine

    @property
    def api(self) -> Api:
        return self.settings.api

    @property
    def log(self) -> Log:
        return self.settings.log

    @property
    def simulator(self) -> Simulator:
        return self.settings.simulator

    @property
    def demo(self) -> bool:
        """Whether the simulator's community is tracked instead of Discord's."""
        choice = self.discord.gateway
        return choice == "simulator" or (choice == "auto" and self.discord.token is None)

    @property
    def embedded_redis(self) -> bool:
        return self.storage.redis == "embedded"

    @cached_property
    def data_dir(self) -> Path:
        return self._absolute(self.storage.data_dir)

    @cached_property
    def database(self) -> Path:
        return (
            self._absolute(self.storage.database) if self.storage.database else self.data_dir / "rollcall.db"
        )

    @cached_property
    def runtime_dir(self) -> Path:
        """Where the sockets are: in the data directory, or in /tmp where that path is too long for a socket.

        It depends on the data directory alone, so that every command finds the daemon, whatever its user.
        """
        inside = self.data_dir / "run"
        if len(os.fsencode(inside / _LONGEST_SOCKET_NAME)) <= _SOCKET_PATH_MAX:
            return inside
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()
        return Path("/tmp") / f"rollcall-{digest[:12]}"  # noqa: S108  # owner and mode are checked before use

    @property
    def api_socket(self) -> Path:
        return self._absolute(self.api.socket) if self.api.socket else self.runtime_dir / "rollcall.sock"

    @property
    def control_socket(self) -> Path:
        return self.runtime_dir / "control.sock"

    @property
    def simulator_address(self) -> Path:
        """The file in which the simulator says at which URL it listens."""
        return self.runtime_dir / "simulator.url"

    @property
    def redis_socket(self) -> Path:
        return self.runtime_dir / "redis.sock"

    @property
    def redis_url(self) -> str:
        """The server's address with its password: not for logs."""
        if self.embedded_redis:
            return f"unix://{quote(str(self.redis_socket))}"
        parts = urlsplit(self.storage.redis)
        if self.redis_password is None or parts.password is not None:
            return self.storage.redis
        password = quote(self.redis_password.get_secret_value(), safe="")
        user, host = parts.username or "", parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{user}:{password}@{host}"))

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret value known, for whoever must keep them out of what is printed."""
        values = [self.discord.token, self.api_token, self.redis_password]
        in_url = urlsplit(self.storage.redis).password
        return (*(value.get_secret_value() for value in values if value), *([in_url] if in_url else []))

    @property
    def rules(self) -> "Rules":
        """The thresholds as the domain takes them."""
        from engine.domain.rules import Rules  # noqa: PLC0415  # commands that need no rules start faster

        return Rules(
            min_session_ms=round(self.sessions.min_session_s * 1000),
            track_bots=self.sessions.track_bots,
            channel_creation_ms=round(self.sessions.channel_creation_s * 1000),
            log_channel_id=self.discord.log_channel_id,
        )

    def require_gateway(self) -> None:
        """Raise ``ConfigError`` where the settings do not allow a login: not needed to read sessions."""
        if self.discord.gateway == "discord" and self.discord.token is None:
            problem = "'discord' needs a bot token: set DISCORD_TOKEN in the environment"
            raise ConfigError([f"{self.source or DEFAULT_FILE}: discord.gateway: {problem}"])

    def _absolute(self, text: str) -> Path:
        return Path(os.path.normpath(self.folder / os.path.expanduser(text)))  # noqa: PTH111  # Path's may raise


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """Read the configuration from ``path``, and the secrets from ``environ``.

    Without a path: from ``config.toml`` in the current folder, or the built-in defaults where there is none.
    Raises ``ConfigError`` with all that is wrong.
    """
    if path is None and not DEFAULT_FILE.exists():
        return _with_secrets(Config(source=None, folder=Path.cwd()), environ)
    path = path or DEFAULT_FILE
    settings = _check(path, _parse(path))
    config = _with_secrets(Config(path.absolute(), path.absolute().parent, settings), environ)
    if len(os.fsencode(config.api_socket)) > _SOCKET_PATH_MAX:
        problem = f"is too long for a Unix socket, {_SOCKET_PATH_MAX} bytes at most"
        raise ConfigError([f"{path}: api.socket: {problem} (got {_shown(str(config.api_socket))})"])
    return config


def _with_secrets(config: Config, environ: Mapping[str, str]) -> Config:
    def secret(name: str) -> SecretStr | None:
        value = environ.get(name, "").strip()  # a file read into the environment often ends in a newline
        return SecretStr(value) if value else None

    discord = config.discord.model_copy(update={"token": secret("DISCORD_TOKEN")})
    return replace(
        config,
        settings=config.settings.model_copy(update={"discord": discord}),
        api_token=secret(config.api.token_env),
        redis_password=secret("REDIS_PASSWORD"),
    )


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        problem = "there is no such file"
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        problem = f"is not UTF-8 text (byte {error.start})"
    except RecursionError:
        problem = "is nested too deeply"
    except ValueError as error:  # tomllib names line and column; an integer of thousands of digits has none
        problem = str(error)
    raise ConfigError([f"{path}: {problem}"])


def _check(path: Path, document: dict[str, Any]) -> Settings:
    problems = _misplaced_secrets(document)
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        problems += [_problem(it) for it in error.errors(include_url=False)]
    if problems:
        raise ConfigError([f"{path}: {problem}" for problem in sorted(problems)])
    return settings


def _misplaced_secrets(document: dict[str, Any]) -> list[str]:
    """Take a token out of the document: its value must not get into any other message."""
    discord = document.get("discord")
    if not isinstance(discord, dict) or "token" not in discord:
        return []
    document["discord"] = {key: value for key, value in discord.items() if key != "token"}
    return ["discord.token: is a secret and has no place here: set DISCORD_TOKEN in the environment"]


def _problem(error: "ErrorDetails") -> str:
    """Say in one line which key is wrong, and how: ``storage.partitions: should be ... (got 99)``."""
    location = [str(part) for part in error["loc"] if part not in ("constrained-int", "int")]
    place = ".".join(_plain(part) for part in location)
    if error["type"] == "extra_forbidden":
        return f"{place}: unknown key{_suggestion(location)}"
    if error["type"] == "model_type":
        return f"{place}: should be a table (got {_shown(error['input'])})"
    if error["type"] == "value_error":
        text = error["msg"].removeprefix("Value error, ")
        return f"{place}: {text} (got {_shown(error['input'])})"
    return f"{place}: {error['msg'].removeprefix('Input ')} (got {_shown(error['input'])})"


def _suggestion(location: list[str]) -> str:
    fields = Settings.model_fields
    for part in location[:-1]:
        model = fields[part].annotation
        fields = model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else {}
    near = difflib.get_close_matches(location[-1], [name for name in fields if name != "token"], n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _plain(part: str) -> str:
    return part if part.isprintable() and len(part) <= 60 else _shown(part)


def _shown(value: Any) -> str:
    """A value in a message: one short line, without a password."""
    if isinstance(value, str) and "@" in value and "://" in value:
        value = value.partition("://")[0] + "://***@" + value.rpartition("@")[2]
    text = ascii(value) if not isinstance(value, str) or not value.isprintable() else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
