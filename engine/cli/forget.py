"""``rollcall forget``: a person who asks for it is removed from everything that is kept."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.filters import checked_id
from engine.cli.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from engine.cli.client import EngineClient
    from engine.cli.records import Row
    from engine.config import Config


def forget(
    user: Annotated[str, typer.Argument(metavar="USER_ID", callback=checked_id)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Forget a person, everywhere and for good. Events keep their totals, with a pseudonym in their place."""
    from engine.cli.client import EngineClient
    from engine.cli.tables import print_json
    from engine.config import load

    loaded = load(config)
    client = EngineClient(loaded.api_socket)
    if not yes:
        _confirm(client, user)
    told = client.send("DELETE", f"/users/{user}")
    if as_json:
        print_json(told)
    else:
        print(_done(told), _of_backups(loaded), sep="\n")
    return 0


def _confirm(client: "EngineClient", user: str) -> None:
    from engine.cli.failure import Failure

    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody is there to ask: give --yes")
    client.get("/healthz")  # who is asked should not have answered for nothing
    print(
        f"Forget user {user} for good? This cannot be undone. Type yes: ", end="", file=sys.stderr, flush=True
    )
    if sys.stdin.readline().strip().lower() != "yes":
        raise Failure("nothing was forgotten")


def _done(told: "Row") -> str:
    counts = [f"{_words(name)} {count}" for name, count in told["forgotten"].items() if count]
    return f"user {told['userId']} is forgotten: {', '.join(counts) or 'nothing was kept of them'}"


def _of_backups(config: "Config") -> str:
    folder = config.backup_dir
    if not config.backup.every_h:
        return (
            f"backups stay as they are, those in {folder} too: remove those that may hold something of them"
        )
    return (
        f"backups in {folder} that hold something of them go within minutes, once a new one is made; "
        "those elsewhere are yours to remove"
    )


def _words(name: str) -> str:
    return "".join(f" {it.lower()}" if it.isupper() else it for it in name)
