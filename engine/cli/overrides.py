"""``rollcall override``: what is different for one player or one event, as long as it lives."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from engine.cli.failure import Failure
from engine.cli.filters import checked_id
from engine.cli.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from engine.cli.client import EngineClient
    from engine.cli.records import Row

Kind: TypeAlias = Literal["player", "event"]


def override(  # noqa: PLR0913, PLR0917  # one parameter for each option
    kind: Annotated[Kind, typer.Argument(help="Of which kind it is.")],
    of: Annotated[
        str, typer.Argument(metavar="ID", help="The player's guild, or the event.", callback=checked_id)
    ],
    timeout_s: Annotated[
        float | None, typer.Option("--timeout", metavar="SECONDS", help="Instead of every tracker's timeout.")
    ] = None,
    trackers: Annotated[
        list[str] | None,
        typer.Option(
            "--tracker", metavar="LABEL", help="One that counts, no other does; repeat it for several."
        ),
    ] = None,
    exempt: Annotated[
        bool | None,
        typer.Option("--exempt/--not-exempt", help="Whether it never expires.", show_default=False),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Let it be as the configuration has it.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Let something be different for one player or event. Without an option it is shown what is.

    What is not said is as for all others, whatever the configuration says of this one. It holds until the
    player leaves voice, or the event is over.
    """
    from engine.cli.client import EngineClient
    from engine.cli.tables import print_json
    from engine.config import load

    terms = _terms(timeout_s, trackers, exempt)
    if remove and terms:
        raise typer.BadParameter("--remove goes alone")
    told = _asked(EngineClient(load(config).api_socket), _path(kind, of), terms, remove)
    if as_json:
        print_json(told)
    else:
        print(f"{kind} {of}: {_words(told)}")
    return 0


def _terms(timeout_s: float | None, trackers: list[str] | None, exempt: bool | None) -> dict[str, Any]:
    given = {"timeoutS": timeout_s, "trackers": trackers or None, "exempt": exempt}
    return {name: value for name, value in given.items() if value is not None}


def _path(kind: Kind, of: str) -> str:
    return f"/guilds/{of}/player/override" if kind == "player" else f"/events/{of}/override"


def _asked(client: "EngineClient", path: str, terms: dict[str, Any], remove: bool) -> "Row | None":
    """Return what is different afterwards, None if nothing is."""
    from engine.cli.client import Refusal

    if terms:
        return _sent(client, path, terms)
    if remove:
        client.send("DELETE", path)
        return None
    try:
        found: Row = client.get(path)
    except Refusal as no:
        if no.status == 404 and "no override" in str(no):
            return None
        raise
    return found


def _sent(client: "EngineClient", path: str, terms: dict[str, Any]) -> "Row":
    from engine.cli.client import Refusal

    try:
        told: Row = client.send("PUT", path, terms)
    except Refusal as no:
        line = str(no)
        for field, option in _OPTIONS.items():
            line = line.replace(f"{field}: ", f"{option}: ")
        raise Failure(line, no.exit_code) from no
    return told


def _words(told: "Row | None") -> str:
    if told is None:
        return "no override"
    words = [] if told["timeoutS"] is None else [f"timeout {told['timeoutS']:g} s"]
    words += [] if told["trackers"] is None else [f"trackers {', '.join(told['trackers'])}"]
    words += ["exempt" if told["exempt"] else "not exempt"]
    return ", ".join(words)


_OPTIONS = {"timeoutS": "--timeout", "trackers": "--tracker", "exempt": "--exempt"}
