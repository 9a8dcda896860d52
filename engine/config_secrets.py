"""The secrets of a configuration: where they come from, which are missing, which hide in its URLs."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from engine.settings import Settings


class Secrets:
    """Reads secrets from the environment, or from the files of the service manager.

    ``unreadable`` says what is there and cannot be read, a line each.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.unreadable: list[str] = []

    def read(self, name: str) -> SecretStr | None:
        """Return the secret of this name, None where there is none. An unreadable one is empty."""
        value = self._environ.get(name, "").strip()
        folder = self._environ.get("CREDENTIALS_DIRECTORY")
        if value or not folder:
            return SecretStr(value) if value else None
        return self._credential(Path(folder) / name)

    def _credential(self, path: Path) -> SecretStr | None:
        """Return what the service manager hands over in a file (systemd: ``LoadCredential=``)."""
        try:
            value = path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            line = f"{path}: cannot be read: {getattr(error, 'strerror', 'it is no UTF-8')}"
            self.unreadable += [] if line in self.unreadable else [line]
            return SecretStr("")
        return SecretStr(value) if value else None


def without_token(settings: Settings) -> list[str]:
    """Say that a login is wanted and its token missing."""
    if settings.discord.gateway != "discord" or settings.discord.token is not None:
        return []
    return ["discord.gateway: 'discord' needs a bot token: set DISCORD_TOKEN in the environment"]


def without_signature(
    settings: Settings, of_badges: SecretStr | None, of_notices: SecretStr | None
) -> list[str]:
    """Say what is to be sent whose signing secret is missing."""
    badges, notices = settings.events, settings.trackers
    problems = []
    if badges.badges == "webhook" and of_badges is None:
        told = f"'webhook' signs what it sends: set {badges.webhook_secret_env} in the environment"
        problems.append(f"events.badges: {told}")
    if notices.webhook_url and of_notices is None:
        told = f"what is sent is signed: set {notices.webhook_secret_env} in the environment"
        problems.append(f"trackers.webhook_url: {told}")
    return problems


def passwords(url: str) -> list[str]:
    """Return the passwords in a URL, as they stand there and as they are meant."""
    try:
        parts = urlsplit(url)
    except ValueError:  # a host that cannot be; whoever connects will say so
        return []
    found = [parts.password or "", *(it[9:] for it in parts.query.split("&") if it.startswith("password="))]
    return [it for written in found if written for it in (written, unquote(written))]
