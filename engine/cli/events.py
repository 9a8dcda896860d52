"""``rollcall events``: what was held, what will be, and who attended."""

import sys
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from engine.cli import event_orders
from engine.cli.event_options import EventId
from engine.cli.filters import Everything, Limit, Since, Until, table_limit, window
from engine.cli.options import AsJson, ConfigFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from engine.cli.records import Row
    from engine.cli.tables import Column
    from engine.config import Config

app = typer.Typer(help="Hold events, and see who attended.", rich_markup_mode=None, add_completion=False)
Guild: TypeAlias = Annotated[str | None, typer.Option(metavar="ID|NAME", help="Only of this guild.")]
Channel: TypeAlias = Annotated[str | None, typer.Option(metavar="ID|NAME", help="Only in this channel.")]
Status: TypeAlias = Annotated[
    Literal["scheduled", "active", "ended", "cancelled"] | None,
    typer.Option(help="Only events of this status."),
]
Eligible: TypeAlias = Annotated[
    bool | None, typer.Option("--eligible/--not-eligible", help="Only those who are; only those who are not.")
]
TableLimit: TypeAlias = Annotated[
    int | None, typer.Option(min=1, help="At most so many. [default: 100; --json: all]")
]


@app.callback(invoke_without_command=True)
@app.command("list", help="List events, the latest made first. Works without a running daemon too.")
def events(  # noqa: PLR0913, PLR0917  # one parameter for each option of the contract
    context: typer.Context,
    guild: Guild = None,
    channel: Channel = None,
    status: Status = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = None,
    everything: Everything = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Hold events, and see who attended. Alone: list them, the latest made first."""
    if context.invoked_subcommand is not None:
        context.default_map = {context.invoked_subcommand: _before(context)}
        return 0
    from engine.cli.places import channel_id, guild_id
    from engine.cli.records import WantedEvents, page_of, source
    from engine.config import load

    between = window(since, until)
    loaded = load(config)
    records = source(loaded)
    where = guild and guild_id(records, guild)
    wanted = WantedEvents(where, channel and channel_id(records, where, channel), status, *between)
    limit = table_limit(limit, everything=everything, as_json=as_json)
    _print_events(loaded, records.events(wanted, page_of(limit)), limit, as_json)
    return 0


def _before(context: typer.Context) -> dict[str, object]:
    """Return the options before the subcommand, which hold for it too."""
    given = {name: value for name, value in context.params.items() if value}
    if context.invoked_subcommand != "list" and given.keys() - {"config", "as_json"}:
        raise typer.BadParameter(f"options of the list cannot stand before {context.invoked_subcommand!r}")
    return given


def _print_events(config: "Config", rows: "Iterator[Row]", limit: int | None, as_json: bool) -> None:
    from engine.cli.event_tables import EVENT_COLUMNS, event_cells, places
    from engine.cli.records import names
    from engine.cli.tables import today
    from engine.cli.writing import write_array

    if as_json:
        write_array(sys.stdout, islice(rows, limit))
        return
    shown = list(islice(rows, limit))
    known, now = names(config, (it for row in shown for it in places(row))), today()
    _print_table(EVENT_COLUMNS, [event_cells(row, known, now) for row in shown], "no events")
    _tell_more(rows, f"the latest {len(shown)}")


@app.command()
def report(  # noqa: PLR0913, PLR0917  # one parameter for each option of the contract
    event: EventId,
    intervals: Annotated[bool, typer.Option("--intervals", help="With the times each was there.")] = False,
    eligible: Eligible = None,
    limit: TableLimit = None,
    everything: Everything = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Show an event, how it went, and who attended; of an active one, so far."""
    from engine.cli.places import event_id
    from engine.cli.records import source
    from engine.config import load

    loaded = load(config)
    records = source(loaded)
    found = records.event(event_id(records, event))
    stats = records.stats("event", found["eventId"])
    people = records.participants(found["eventId"], intervals=intervals, eligible=eligible)
    limit = table_limit(limit, everything=everything, as_json=as_json)
    if as_json:
        _print_document(found, stats, islice(people, limit))
    else:
        _print_report(loaded, found, stats)
        _print_participants(found, people, limit)
    return 0


def _print_document(event: "Row", stats: "Row", people: "Iterable[Row]") -> None:
    """Print ``{"event": ..., "stats": ..., "participants": [...]}``, a participant a line, as they come."""
    import json

    from engine.cli.writing import write_array

    start = json.dumps({"event": event, "stats": stats}, ensure_ascii=False)
    print(start.removesuffix("}") + ', "participants":')
    write_array(sys.stdout, people)
    print("}")


def _print_report(config: "Config", event: "Row", stats: "Row") -> None:
    from engine.cli.event_tables import places, report
    from engine.cli.records import names
    from engine.cli.tables import printable

    for title, line in report(event, stats, names(config, places(event))):
        print(printable(f"{title:<11} {line}"))
    print()


def _print_participants(event: "Row", people: "Iterator[Row]", limit: int | None) -> None:
    from engine.cli.event_tables import PARTICIPANT_COLUMNS, day_of, participant_cells

    shown, known = list(islice(people, limit)), day_of(event)
    cells = list(chain.from_iterable(participant_cells(row, known) for row in shown))
    _print_table(PARTICIPANT_COLUMNS, cells, "no participants")
    _tell_more(people, f"the first {len(shown)}")


@app.command()
def badges(
    event: EventId,
    limit: TableLimit = None,
    everything: Everything = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """List the badges that an event gave, and whether they were delivered."""
    from engine.cli.places import event_id
    from engine.cli.records import source
    from engine.cli.writing import write_array
    from engine.config import load

    records = source(load(config))
    found = records.event(event_id(records, event))
    given = records.badges(found["eventId"])
    limit = table_limit(limit, everything=everything, as_json=as_json)
    if as_json:
        write_array(sys.stdout, islice(given, limit))
    else:
        _print_badges(found, given, limit)
    return 0


def _print_badges(event: "Row", given: "Iterator[Row]", limit: int | None) -> None:
    from engine.cli.event_tables import BADGE_COLUMNS, badge_cells, no_badges
    from engine.cli.tables import today

    shown, known = list(islice(given, limit)), today()
    _print_table(BADGE_COLUMNS, [badge_cells(row, known) for row in shown], no_badges(event))
    _tell_more(given, f"the first {len(shown)}")


def _print_table(columns: "Sequence[Column]", cells: "Sequence[Sequence[str]]", none: str) -> None:
    from engine.cli.tables import console, table

    console().print(table(columns, cells) if cells else none)


def _tell_more(rows: "Iterator[Row]", shown: str) -> None:
    if next(rows, None) is not None:
        print(f"{shown}; for more: --limit N or --all", file=sys.stderr)


for order in (
    event_orders.create,
    event_orders.change,
    event_orders.start,
    event_orders.stop,
    event_orders.cancel,
):
    app.command()(order)
