"""The configuration: ``config.toml`` with its settings checked, the secrets of the environment, and the paths
that follow from both.
"""

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import SecretStr

from engine.config_problems import checked, shown
from engine.config_secrets import Secrets, passwords, without_signature, without_token
from engine.settings import (
    Api,
    Backup,
    Discord,
    Engine,
    Events,
    Log,
    Privacy,
    Sessions,
    Settings,
    Simulator,
    Storage,
    Trackers,
)

if TYPE_CHECKING:
    from engine.domain.rules import Rules

DEFAULT_FILE = Path("config.toml")
# A Unix socket's path must fit 104 bytes on macOS, 108 on Linux, with the NUL.
_SOCKET_PATH_MAX = 103
_LONGEST_SOCKET_NAME = "rollcall.sock"


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
    webhook_secret: SecretStr | None = None
    notice_secret: SecretStr | None = None

    @property
    def discord(self) -> Discord:
        return self.settings.discord

    @property
    def storage(self) -> Storage:
        return self.settings.storage

    @property
    def backup(self) -> Backup:
        return self.settings.backup

    @property
    def sessions(self) -> Sessions:
        return self.settings.sessions

    @property
    def events(self) -> Events:
        return self.settings.events

    @property
    def privacy(self) -> Privacy:
        return self.settings.privacy

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
    def backup_dir(self) -> Path:
        return self._absolute(self.backup.dir) if self.backup.dir else self.data_dir / "backups"

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
    def badge_file(self) -> Path:
        """Where the distributor ``csv`` writes."""
        return (
            self._absolute(self.events.badge_file) if self.events.badge_file else self.data_dir / "badges.csv"
        )

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
        values = [
            self.discord.token,
            self.api_token,
            self.redis_password,
            self.webhook_secret,
            self.notice_secret,
        ]
        urls = (self.storage.redis, self.events.webhook_url, self.trackers.webhook_url)
        in_urls = [it for url in urls for it in passwords(url)]
        return (*(value.get_secret_value() for value in values if value), *in_urls)

    @property
    def rules(self) -> "Rules":
        """The thresholds as the domain takes them."""
        from engine.configured_rules import rules_of  # noqa: PLC0415  # commands that need no rules start faster

        return rules_of(self.settings)

    @property
    def missing_secrets(self) -> list[str]:
        """What the daemon needs and the environment has not, a line each. Other commands need none of it."""
        return [*without_token(self.settings), *self._missing_signatures]

    def require_secrets(self) -> None:
        """Raise ``ConfigError`` with all secrets that the daemon needs and does not have."""
        self._refuse(self.missing_secrets)

    def require_gateway(self) -> None:
        """Raise ``ConfigError`` where the settings do not allow a login."""
        self._refuse(without_token(self.settings))

    def require_signatures(self) -> None:
        """Raise ``ConfigError`` where something is to be sent that cannot be signed."""
        self._refuse(self._missing_signatures)

    @property
    def _missing_signatures(self) -> list[str]:
        return without_signature(self.settings, self.webhook_secret, self.notice_secret)

    def _refuse(self, problems: list[str]) -> None:
        if problems:
            raise ConfigError([f"{self.source or DEFAULT_FILE}: {it}" for it in problems])

    def _absolute(self, text: str) -> Path:
        return Path(os.path.normpath(self.folder / os.path.expanduser(text)))  # noqa: PTH111  # Path's may raise


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """Read the configuration from ``path``, and the secrets from ``environ``.

    Without a path: from ``config.toml`` in the current folder, or the built-in defaults where there is none.
    Raises ``ConfigError`` with all that is wrong.
    """
    config, problems = examine(path, environ)
    if problems:
        raise ConfigError(problems)
    return config


def examine(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> tuple[Config, list[str]]:
    """Read the configuration as ``load`` does, wrong settings left out. Returns all that is wrong, too.

    Raises ``ConfigError`` where the file cannot be read at all.
    """
    secrets = Secrets(environ)
    if path is None and not DEFAULT_FILE.exists():
        return _with_secrets(Config(source=None, folder=Path.cwd()), secrets), secrets.unreadable
    path = path or DEFAULT_FILE
    settings, problems = checked(_parse(path))
    config = _with_secrets(Config(path.absolute(), path.absolute().parent, settings), secrets)
    if len(os.fsencode(config.api_socket)) > _SOCKET_PATH_MAX:
        too_long = f"is too long for a Unix socket, {_SOCKET_PATH_MAX} bytes at most"
        problems.append(f"api.socket: {too_long} (got {shown(str(config.api_socket))})")
    return config, [*(f"{path}: {it}" for it in sorted(problems)), *secrets.unreadable]


def _with_secrets(config: Config, secrets: Secrets) -> Config:
    discord = config.discord.model_copy(update={"token": secrets.read("DISCORD_TOKEN")})
    return replace(
        config,
        settings=config.settings.model_copy(update={"discord": discord}),
        api_token=secrets.read(config.api.token_env),
        redis_password=secrets.read("REDIS_PASSWORD"),
        webhook_secret=secrets.read(config.events.webhook_secret_env),
        notice_secret=secrets.read(config.trackers.webhook_secret_env),
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
