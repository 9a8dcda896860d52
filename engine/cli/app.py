"""All commands, by name. A command's module is imported when it runs: `--help` needs none of them."""

from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command

from engine import __version__


class Command(NamedTuple):
    """Where a command is defined, and its line in the list of all; without one it is not listed."""

    module: str
    function: str
    line: str = ""


COMMANDS = {
    "run": Command("daemon", "run", "Run the daemon: all its processes, until SIGTERM or Ctrl-C."),
    "ingest": Command("daemon", "ingest", "Run the ingest alone: Discord's gateway into the journal."),
    "engine": Command("daemon", "engine", "Run the engine alone: the journal into the ledger, and HTTP."),
    "simulator": Command("daemon", "simulator"),
    "redis": Command("daemon", "redis"),
    "restart": Command("daemon", "restart", "Replace a process of the running daemon; nothing is lost."),
    "check-config": Command(
        "daemon", "check_config", "Check the configuration and tell all that is wrong with it."
    ),
    "sessions": Command("sessions", "sessions", "List voice sessions, open and past, the latest join first."),
    "events": Command("events", "app", "Hold events, and see who attended."),
    "override": Command("overrides", "override", "Let something be different for one player or event."),
    "rescore": Command("event_orders", "rescore", "Score an event's attendance again from the kept record."),
    "stats": Command("stats", "stats", "Show how much there was of an event, user, guild or channel."),
    "export": Command("export", "export", "Export sessions or participants, as CSV or JSON."),
    "backup": Command("backup", "backup", "Back up the ledger, while all goes on or nothing runs."),
    "forget": Command("forget", "forget", "Forget a person, everywhere and for good."),
    "reconcile": Command(
        "reconcile", "reconcile", "Compare the live state with the ledger, and repair what differs."
    ),
    "debug": Command("debug", "app", "Look inside the running daemon."),
}


class _Commands(TyperGroup):
    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = dict.fromkeys(COMMANDS, self)  # only the names, for "Did you mean"

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        del ctx
        return _loaded(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, it.line) for name, it in COMMANDS.items() if it.line])


def _loaded(name: str) -> Any:
    module, function, _ = COMMANDS[name]
    found = getattr(import_module(f"engine.cli.{module}"), function)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(name)(found)
        found = alone
    return get_command(found)


app = typer.Typer(
    cls=_Commands,
    help="Who was in which Discord voice channel, for how long: tracked to the millisecond.",
    epilog="Start with `rollcall run`; without DISCORD_TOKEN it tracks a simulated community.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich would double the time that --help takes
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"rollcall {__version__}")
        raise typer.Exit


@app.callback()
def _rollcall(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    del version  # its callback has done the work
