"""``rollcall debug dead-letters`` and ``lift``: what could not take effect, and a second chance for it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.cli.filters import GuildId
from engine.cli.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from engine.cli.client import EngineClient

app = typer.Typer(help="Entries that could not take effect.", rich_markup_mode=None, add_completion=False)

_PAGE = 1_000


@app.callback(invoke_without_command=True)
def dead_letters(
    context: typer.Context,
    guild: GuildId = None,
    everything: Annotated[bool, typer.Option("--all", help="Those too that took effect since.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """List the entries that could not take effect, the last one kept first."""
    if context.invoked_subcommand is not None:
        context.default_map = {context.invoked_subcommand: {"config": config, "as_json": as_json}}
        return 0
    found = list(
        _client(config).pages(
            "/debug/dead-letters", guildId=guild, everything=everything or None, limit=_PAGE
        )
    )
    if as_json:
        _print_json(found)
    else:
        _table(found)
    return 0


@app.command()
def retry(
    journal_id: Annotated[str | None, typer.Argument(metavar="[JOURNAL_ID]")] = None,
    guild: GuildId = None,
    everything: Annotated[bool, typer.Option("--all", help="All there are.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Have entries taken again, each at its own time: one by its id, a guild's, or all."""
    if (journal_id is not None) + (guild is not None) + everything != 1:
        raise typer.BadParameter("give one of JOURNAL_ID, --guild and --all")
    wanted = {"journalId": journal_id, "guildId": guild, "everything": everything}
    told = _client(config).send("POST", "/debug/dead-letters/retry", wanted)
    _show(told, as_json)
    return 0


def lift(
    name: Annotated[str, typer.Argument(help="guild:<id> or event:<id>", metavar="NAME")],
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Let a guild or an event out of quarantine: it takes what was kept of its entries, then goes on."""
    from urllib.parse import quote

    told = _client(config).send("POST", f"/debug/actors/{quote(name, safe='')}/lift")
    _show(told, as_json)
    return 0


def _show(told: dict[str, int], as_json: bool) -> None:
    if as_json:
        _print_json(told)
    else:
        unreadable = told.get("unreadable", 0)
        more = f", {unreadable} cannot be taken: unreadable" if unreadable else ""
        print(f"{told['retried']} took effect, {told['refused']} were refused again{more}")


def _table(found: list[dict[str, Any]]) -> None:
    from engine.cli.moments import local
    from engine.cli.tables import Column, console, table, today

    titles = ("JOURNAL ID", "ACTOR", "KIND", "AT", "TAKEN", "REASON")
    rows = (
        (
            it["journalId"],
            it["actor"],
            it["kind"],
            local(it["entryAt"] or it["at"], today()),
            it["retriedAt"] and local(it["retriedAt"], today()),
            it["reason"],
        )
        for it in found
    )
    console().print(table([Column(it) for it in titles], rows))


def _print_json(found: Any) -> None:
    from engine.cli.tables import print_json

    print_json(found)


def _client(config: ConfigFile) -> "EngineClient":
    from engine.cli.client import EngineClient
    from engine.config import load

    return EngineClient(load(config).api_socket)
