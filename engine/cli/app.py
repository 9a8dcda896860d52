"""All commands, by name."""

from typing import Annotated

import typer

from engine import __version__
from engine.cli import daemon, debug, event_orders, events, export, forget, sessions, stats

app = typer.Typer(
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


app.command("run")(daemon.run)
app.command("ingest")(daemon.ingest)
app.command("engine")(daemon.engine)
app.command("simulator", hidden=True)(daemon.simulator)
app.command("redis", hidden=True)(daemon.redis)
app.command("restart")(daemon.restart)
app.command("check-config")(daemon.check_config)
app.command("sessions")(sessions.sessions)
app.add_typer(events.app, name="events")
app.command("rescore")(event_orders.rescore)
app.command("stats")(stats.stats)
app.command("export")(export.export)
app.command("forget")(forget.forget)
app.add_typer(debug.app, name="debug")
