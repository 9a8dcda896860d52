"""``rollcall debug``: a look inside the running daemon."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from engine.cli import dead_letters
from engine.cli.options import AsJson, ConfigFile

app = typer.Typer(help="Look inside the running daemon.", rich_markup_mode=None, add_completion=False)
app.add_typer(dead_letters.app, name="dead-letters")
app.command()(dead_letters.lift)


@app.callback(invoke_without_command=True)
def debug(context: typer.Context, as_json: AsJson = False, config: ConfigFile = None) -> int:
    """Look inside the running daemon. Alone: an overview."""
    if context.invoked_subcommand is None:
        overview = _asked(config, "/debug/overview")
        _print(overview, as_json, _list)
        return 0
    # Options before the subcommand hold for it too.
    before = {"config": config, "as_json": as_json}
    context.default_map = {context.invoked_subcommand: before}
    return 0


@app.command()
def processes(as_json: AsJson = False, config: ConfigFile = None) -> int:
    """Show the daemon's processes."""
    from engine.cli.failure import Failure
    from engine.config import load
    from engine.processes.control import ControlError, ask

    try:
        found = ask(load(config).control_socket, {"do": "processes"})
    except ConnectionError as error:
        raise Failure(f"{error}: is `rollcall run` running?") from error
    except ControlError as error:
        raise Failure(str(error)) from error
    _print(found, as_json, _table("name", "pid", "startedAt", "restarts", "state"))
    return 0


@app.command()
def actors(as_json: AsJson = False, config: ConfigFile = None) -> int:
    """Show the actors: their state, waiting messages, restarts, open sessions."""
    found = _asked(config, "/debug/actors")["items"]
    _print(found, as_json, _table("name", "state", "inbox", "restarts", "openSessions", "lastAt"))
    return 0


@app.command()
def actor(
    name: Annotated[str, typer.Argument(help="guild:<id>, event:<id> or partition:<n>", metavar="NAME")],
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Show one actor's whole state."""
    from urllib.parse import quote

    _print(_asked(config, f"/debug/actors/{quote(name, safe='')}"), as_json, _list)
    return 0


@app.command()
def journal(as_json: AsJson = False, config: ConfigFile = None) -> int:
    """Show each partition's journal: its length, its lag, its writers and connections."""
    _print(_asked(config, "/debug/journal")["items"], as_json, _list)
    return 0


@app.command()
def trackers(as_json: AsJson = False, config: ConfigFile = None) -> int:
    """Show the trackers: how they run, their last error, their marks."""
    found = _asked(config, "/debug/trackers")["items"]
    columns = (
        "label",
        "mode",
        "intervalS",
        "state",
        "lastRunAt",
        "runs",
        "restarts",
        "inactive",
        "lastError",
    )
    _print(found, as_json, _table(*columns))
    return 0


@app.command()
def timers(as_json: AsJson = False, config: ConfigFile = None) -> int:
    """Show the deadlines that run, the next first: of players, of events."""
    found = _asked(config, "/debug/timers")["items"]
    _print(found, as_json, _table("at", "inSeconds", "what", "guildId", "eventId"))
    return 0


@app.command()
def live(as_json: AsJson = False, config: ConfigFile = None) -> int:
    """Show how the mirror of the open sessions stands."""
    _print(_asked(config, "/debug/live"), as_json, _list)
    return 0


@app.command()
def top(
    once: Annotated[bool, typer.Option("--once", help="Show one second, then end.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Show the engine's rates, second by second, until Ctrl-C."""
    from engine.cli import top as view
    from engine.cli.client import EngineClient
    from engine.config import load

    client = EngineClient(load(config).api_socket)
    if as_json or once:
        _print(view.one_second(client), as_json, _list)
    else:
        view.watch(client)
    return 0


def _asked(config: ConfigFile, path: str) -> Any:
    from engine.cli.client import EngineClient
    from engine.config import load

    return EngineClient(load(config).api_socket).get(path)


def _print(found: Any, as_json: bool, for_people: Callable[[Any], None]) -> None:
    from engine.cli.tables import print_json

    if as_json:
        print_json(found)
    else:
        for_people(found)


def _list(found: Any) -> None:
    from engine.cli.tables import listing

    print("\n".join(listing(found)))


def _table(*keys: str) -> Callable[[Any], None]:
    """Return what shows these keys of each object as a table."""

    def show(found: Any) -> None:
        from engine.cli.moments import local
        from engine.cli.tables import Column, console, table, today

        def cell(row: dict[str, Any], key: str) -> Any:
            value = row.get(key)
            moment = key.endswith("At") or key == "at"
            return local(value, today()) if moment and value is not None else value

        columns = [Column(_TITLES[key], right=key in _NUMBERS) for key in keys]
        console().print(table(columns, ([cell(row, key) for key in keys] for row in found)))

    return show


_NUMBERS = {"pid", "inbox", "restarts", "openSessions", "intervalS", "runs", "inactive", "inSeconds"}
_TITLES = {
    "name": "NAME",
    "pid": "PID",
    "startedAt": "STARTED",
    "restarts": "RESTARTS",
    "state": "STATE",
    "inbox": "INBOX",
    "openSessions": "OPEN SESSIONS",
    "lastAt": "LAST",
    "label": "TRACKER",
    "mode": "MODE",
    "intervalS": "INTERVAL S",
    "lastRunAt": "LAST RUN",
    "runs": "RUNS",
    "inactive": "INACTIVE",
    "lastError": "LAST ERROR",
    "at": "AT",
    "inSeconds": "IN S",
    "what": "WHAT",
    "guildId": "GUILD",
    "eventId": "EVENT",
}
